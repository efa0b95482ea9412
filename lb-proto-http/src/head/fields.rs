//! The list of header fields and the two byte areas its slices point into.

/// Most bytes that rules may add to one message; the size of one buffer. A rule that needs more fails.
pub const MAX_ADDED: usize = 16_384;

/// Marks a span of the additions.
const ADDED: u32 = 1 << 31;

/// Where some bytes of a message are: in the buffer they were received in, or among the additions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    at: u32,
    len: u32,
}

impl Span {
    /// The bytes `at..at + len` of the received buffer.
    pub(crate) const fn received(at: usize, len: usize) -> Self {
        Self { at: at as u32, len: len as u32 }
    }

    /// Number of bytes.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there are no bytes.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Where a span of received bytes begins; `None` for additions.
    pub(crate) fn start_of_received(self) -> Option<usize> {
        (self.at & ADDED == 0).then_some(self.at as usize)
    }

    /// Where a span of received bytes ends.
    pub(crate) const fn end_of_received(self) -> usize {
        (self.at & !ADDED) as usize + self.len()
    }

    /// The part of the span that starts `skip` bytes in and is `len` bytes long.
    pub(crate) fn part(self, skip: usize, len: usize) -> Self {
        debug_assert!(skip + len <= self.len());
        Self { at: self.at + skip as u32, len: len as u32 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

/// The first fields, as many as stand one behind the other in the received bytes as they are to be written: nearly always all
/// that were received.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    fields: u32,
    from: u32,
    to: u32,
}

/// Header fields in order, with the bytes they refer to.
#[derive(Debug, Default)]
pub struct Fields {
    received: Vec<u8>,
    added: Vec<u8>,
    list: Vec<Field>,
    run: Run,
    /// Bytes of names and values that rules may add, and how many there were before.
    room: Option<(usize, usize)>,
}

impl Fields {
    /// Forgets every field and addition and keeps all memory.
    pub fn clear(&mut self) {
        self.added.clear();
        self.list.clear();
        self.run = Run::default();
        self.room = None;
    }

    /// The fields may grow by so many bytes only, from what they were when this was first said; without a limit by
    /// [`MAX_ADDED`].
    pub fn limit_growth(&mut self, room: usize) {
        let before = self.room.map_or_else(|| self.text_len(), |(_, before)| before);
        self.room = Some((room, before));
    }

    /// Whether additions that now take `used` bytes, the last `new` of them just made, are within bounds.
    fn fits(&self, used: usize, new: usize) -> bool {
        let Some((room, before)) = self.room else { return used <= MAX_ADDED };
        // What was replaced or removed makes room again; looking at it takes longer.
        used <= room.min(MAX_ADDED) || (used <= MAX_ADDED && self.text_len() + new <= before + room)
    }

    /// Gives the buffer of received bytes. Spans of the previous one are void afterwards.
    pub fn set_buffer(&mut self, buffer: Vec<u8>) {
        self.clear();
        self.received = buffer;
    }

    /// Takes the buffer of received bytes back.
    pub fn take_buffer(&mut self) -> Vec<u8> {
        self.clear();
        std::mem::take(&mut self.received)
    }

    /// Exchanges the buffer for one with the same received bytes at its front; the fields and all spans remain.
    pub fn move_to(&mut self, buffer: Vec<u8>) -> Vec<u8> {
        debug_assert!(self.received.starts_with(&buffer));
        std::mem::replace(&mut self.received, buffer)
    }

    /// The whole buffer, beyond what is filled.
    pub fn buffer_mut(&mut self) -> &mut Vec<u8> {
        &mut self.received
    }

    /// The whole buffer, beyond what is filled.
    pub fn buffer(&self) -> &[u8] {
        &self.received
    }

    /// The bytes of a span.
    pub fn bytes(&self, span: Span) -> &[u8] {
        let (area, at) = if span.at & ADDED == 0 {
            (&self.received, span.at as usize)
        } else {
            (&self.added, (span.at & !ADDED) as usize)
        };
        area.get(at..at + span.len()).unwrap_or_default()
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The name of a field, in lower case.
    pub fn name(&self, index: usize) -> &[u8] {
        self.list.get(index).map_or(&[], |field| self.bytes(field.name))
    }

    /// The value of a field, without surrounding blanks.
    pub fn value(&self, index: usize) -> &[u8] {
        self.list.get(index).map_or(&[], |field| self.bytes(field.value))
    }

    /// Where the value of a field is.
    pub fn value_span(&self, index: usize) -> Span {
        self.list.get(index).map(|field| field.value).unwrap_or_default()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + Clone {
        self.list.iter().map(|field| (self.bytes(field.name), self.bytes(field.value)))
    }

    /// The first field called `name` (in lower case) at or after `from`.
    pub fn find(&self, name: &[u8], from: usize) -> Option<usize> {
        debug_assert!(!name.iter().any(u8::is_ascii_uppercase), "names are compared in lower case");
        let rest = self.list.get(from..)?;
        rest.iter()
            .position(|field| field.name.len() == name.len() && self.bytes(field.name) == name)
            .map(|index| index + from)
    }

    /// Like [`find`](Self::find), from the last field backwards, before `until`.
    pub fn rfind(&self, name: &[u8], until: usize) -> Option<usize> {
        let first = self.list.get(..until.min(self.list.len()))?;
        first.iter().rposition(|field| field.name.len() == name.len() && self.bytes(field.name) == name)
    }

    /// The value of the first field called `name`.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.find(name, 0).map(|index| self.value(index))
    }

    /// The values of every field called `name`.
    pub fn all<'a>(&'a self, name: &'a [u8]) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.list
            .iter()
            .filter(move |field| field.name.len() == name.len() && self.bytes(field.name) == name)
            .map(|field| self.bytes(field.value))
    }

    /// Appends a field that was received.
    pub(crate) fn push_spans(&mut self, name: Span, value: Span) {
        self.list.push(Field { name, value });
    }

    /// Takes note that the line of the field that was appended last, in the form in which fields are written, is
    /// `from..to`.
    pub(crate) fn extend_run(&mut self, from: usize, to: usize) {
        let Run { fields, to: end, .. } = self.run;
        if fields as usize + 1 != self.list.len() {
            return;
        }
        if fields == 0 {
            self.run = Run { fields: 1, from: from as u32, to: to as u32 };
        } else if end as usize == from {
            (self.run.fields, self.run.to) = (fields + 1, to as u32);
        }
    }

    /// The field at this place changes or goes.
    fn break_run(&mut self, index: usize) {
        if index < self.run.fields as usize {
            self.run = Run::default();
        }
    }

    /// Gives a field another value that is already stored.
    pub(crate) fn set_span(&mut self, index: usize, value: Span) {
        self.break_run(index);
        if let Some(field) = self.list.get_mut(index) {
            field.value = value;
        }
    }

    /// Stores bytes among the additions; `None` when there is no room left for them.
    pub fn store(&mut self, bytes: &[u8]) -> Option<Span> {
        self.store_with(|out| out.extend_from_slice(bytes))
    }

    /// Stores what `write` appends; `None`, and nothing stored, when there is no room left for it.
    pub fn store_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Option<Span> {
        let at = self.added.len();
        write(&mut self.added);
        debug_assert!(self.added.len() >= at, "additions are only appended");
        if !self.fits(self.added.len(), self.added.len() - at) {
            self.added.truncate(at);
            return None;
        }
        Some(Span { at: at as u32 | ADDED, len: (self.added.len() - at) as u32 })
    }

    /// Lends the area of additions, for text that is made while the fields are being read. Give it back with
    /// [`end_addition`](Self::end_addition); until then spans of additions read as empty.
    #[must_use]
    pub fn begin_addition(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.added)
    }

    /// Takes back what [`begin_addition`](Self::begin_addition) lent and returns the span from `at` on.
    pub fn end_addition(&mut self, mut added: Vec<u8>, at: usize) -> Option<Span> {
        if added.len() > MAX_ADDED {
            added.truncate(at);
            self.added = added;
            return None;
        }
        let len = added.len() - at;
        self.added = added;
        Some(Span { at: at as u32 | ADDED, len: len as u32 })
    }

    /// Appends a field; `name` is in lower case. Returns false when there is no room for it.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> bool {
        let Some(value) = self.store(value) else { return false };
        self.push_value(name, value)
    }

    /// Appends a field whose value is stored already.
    pub fn push_value(&mut self, name: &[u8], value: Span) -> bool {
        debug_assert!(!name.iter().any(u8::is_ascii_uppercase), "names are held in lower case");
        let Some(name) = self.store(name) else { return false };
        // The value was not in the list yet when it was stored.
        if !self.fits(self.added.len(), name.len() + value.len()) {
            return false;
        }
        self.list.push(Field { name, value });
        true
    }

    /// Replaces the value of a field. Returns false when there is no room for it.
    pub fn set_value(&mut self, index: usize, value: &[u8]) -> bool {
        let Some(span) = self.store(value) else { return false };
        self.set_span(index, span);
        true
    }

    /// Removes one field.
    pub fn remove(&mut self, index: usize) {
        self.break_run(index);
        if index < self.list.len() {
            self.list.remove(index);
        }
    }

    /// Removes every field called `name`; returns whether there was one.
    pub fn remove_all(&mut self, name: &[u8]) -> bool {
        // Nearly always there is none, which lengths alone tell of most.
        self.find(name, 0).is_some() && self.remove_if(|own, _| own == name)
    }

    /// Removes every field for which `gone` says so; returns whether there was one.
    pub fn remove_if(&mut self, mut gone: impl FnMut(&[u8], &[u8]) -> bool) -> bool {
        let mut kept = 0;
        for index in 0..self.list.len() {
            let field = self.list[index];
            if gone(self.bytes(field.name), self.bytes(field.value)) {
                self.break_run(kept);
            } else {
                self.list[kept] = field;
                kept += 1;
            }
        }
        let any = kept < self.list.len();
        self.list.truncate(kept);
        any
    }

    /// Makes one field called `name` with `value` the only one: the others go and it comes last, as `set-header` does.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.remove_all(name);
        self.push(name, value)
    }

    /// Appends the fields as lines. Neighbours that stand in the received bytes as they are to be written, which is
    /// nearly all of them, are copied together.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        let Run { from, to, .. } = self.run;
        out.extend_from_slice(self.received.get(from as usize..to as usize).unwrap_or_default());
        self.write_behind_run(out);
    }

    /// Appends the received bytes `from..to`, which are the line before the fields, and the fields.
    pub(crate) fn write_with_line(&self, from: usize, to: usize, out: &mut Vec<u8>) {
        if self.run.from as usize == to {
            out.extend_from_slice(self.received.get(from..self.run.to as usize).unwrap_or_default());
            self.write_behind_run(out);
        } else {
            out.extend_from_slice(self.received.get(from..to).unwrap_or_default());
            self.write_to(out);
        }
    }

    /// Appends the fields that are not written as they were received.
    fn write_behind_run(&self, out: &mut Vec<u8>) {
        let mut rest = self.list.get(self.run.fields as usize..).unwrap_or_default().iter().peekable();
        while let Some(field) = rest.next() {
            let Some(mut end) = self.canonical_end(field) else {
                out.extend_from_slice(self.bytes(field.name));
                out.extend_from_slice(b": ");
                out.extend_from_slice(self.bytes(field.value));
                out.extend_from_slice(b"\r\n");
                continue;
            };
            while let Some(next) = rest.peek()
                && next.name.at as usize == end
                && let Some(next_end) = self.canonical_end(next)
            {
                end = next_end;
                rest.next();
            }
            out.extend_from_slice(&self.received[field.name.at as usize..end]);
        }
    }

    /// Where the line of a field ends that was received in the form in which fields are written.
    fn canonical_end(&self, field: &Field) -> Option<usize> {
        let Field { name, value } = field;
        if (name.at | value.at) & ADDED != 0 || name.at + name.len + 2 != value.at {
            return None;
        }
        let end = value.end_of_received();
        let separated = self.received.get(name.end_of_received()..)?.starts_with(b": ");
        (separated && self.received.get(end..)?.starts_with(b"\r\n")).then_some(end + 2)
    }

    /// Bytes the fields take when written, each with its separator and line end.
    pub fn encoded_len(&self) -> usize {
        self.list.iter().map(|field| field.name.len() + field.value.len() + 4).sum()
    }

    /// Bytes of all names and values together.
    pub fn text_len(&self) -> usize {
        self.list.iter().map(|field| field.name.len() + field.value.len()).sum()
    }

    /// Puts the bytes of a span into lower case.
    pub(crate) fn lower(&mut self, span: Span) {
        let (area, at) = if span.at & ADDED == 0 {
            (&mut self.received, span.at as usize)
        } else {
            (&mut self.added, (span.at & !ADDED) as usize)
        };
        if let Some(bytes) = area.get_mut(at..at + span.len()) {
            bytes.make_ascii_lowercase();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Fields {
        let mut fields = Fields::default();
        for (name, value) in [("host", "a"), ("cookie", "x=1"), ("accept", "*/*"), ("cookie", "y=2")] {
            assert!(fields.push(name.as_bytes(), value.as_bytes()));
        }
        fields
    }

    #[test]
    fn fields_keep_their_order_and_duplicates() {
        let fields = sample();
        let names: Vec<_> = fields.iter().map(|(name, _)| name.to_vec()).collect();
        assert_eq!(names, [b"host".to_vec(), b"cookie".to_vec(), b"accept".to_vec(), b"cookie".to_vec()]);
        assert_eq!(fields.all(b"cookie").collect::<Vec<_>>(), [b"x=1", b"y=2"]);
        assert_eq!(fields.rfind(b"cookie", 3), Some(1));
        assert_eq!(fields.find(b"cookie", 2), Some(3));
    }

    #[test]
    fn fields_are_written_the_same_whether_they_were_received_so_or_not() {
        let text = b"a: 1\r\nb:2\r\nc:  3 \r\nd: 4\r\ne: 5\r\nf:\r\ng: 6\nh: 7\r\n";
        let mut fields = Fields::default();
        let mut at = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let value = line[2..].trim_ascii();
            let from = line.len() - line[2..].trim_ascii_start().len();
            fields.push_spans(Span::received(at, 1), Span::received(at + from, value.len()));
            at += line.len();
        }
        fields.received = text.to_vec();
        assert!(fields.set_value(4, b"five") && fields.push(b"i", b"8"));
        fields.remove(7);
        let mut out = Vec::new();
        fields.write_to(&mut out);
        let expected = "a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\ne: five\r\nf: \r\ng: 6\r\ni: 8\r\n";
        assert_eq!(out.escape_ascii().to_string(), expected.as_bytes().escape_ascii().to_string());
        assert_eq!(out.len(), fields.encoded_len());
    }

    #[test]
    fn setting_a_field_removes_the_others_of_its_name() {
        let mut fields = sample();
        assert!(fields.set(b"cookie", b"z=3"));
        assert_eq!(fields.len(), 3);
        assert_eq!(fields.value(2), b"z=3");
        assert!(fields.remove_all(b"host"));
        assert!(!fields.remove_all(b"host"));
    }

    #[test]
    fn additions_are_bounded_and_a_refused_one_leaves_no_trace() {
        let mut fields = sample();
        assert!(!fields.push(b"x", &[b'v'; MAX_ADDED]));
        assert_eq!(fields.len(), 4);
        assert!(fields.push(b"x", &[b'v'; MAX_ADDED / 2]));
        assert!(!fields.push(b"x", &[b'v'; MAX_ADDED / 2]));
    }

    #[test]
    fn growth_is_limited_and_what_is_removed_makes_room_again() {
        let mut fields = sample();
        fields.limit_growth(10);
        assert!(fields.push(b"x", b"12345"));
        assert!(!fields.push(b"y", b"12345"));
        assert!(fields.set(b"x", b"123456789"));
        assert!(!fields.push(b"y", b""));
        fields.remove_all(b"cookie");
        assert!(fields.push(b"y", b"123"));
    }

    #[test]
    fn a_span_that_points_nowhere_reads_as_empty() {
        let fields = Fields::default();
        assert_eq!(fields.bytes(Span::received(10, 5)), b"");
        assert_eq!(fields.value(3), b"");
    }
}
