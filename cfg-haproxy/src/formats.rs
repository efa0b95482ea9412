//! The predefined log formats, which are also variables (configuration manual 8.2 and 2.3).

/// Default format of `option httplog` (8.2.3).
pub const HTTP: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq \
                        %hr %hs %{+Q}r";
/// Format of `option httpslog` (8.2.4).
pub const HTTPS: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq \
                         %hr %hs %{+Q}r %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/\
                         %[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc";
/// Format of `option httplog clf`.
pub const HTTP_CLF: &str = "%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc \
                            %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl";
/// Format of `option tcplog` (8.2.2).
pub const TCP: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";
/// Format of `option tcplog clf`.
pub const TCP_CLF: &str = "%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft %b %s %Th %Tw %Tc %Tt %U %ts-- \
                           %ac %fc %bc %sc %rc %sq %bq \"\" \"\" ";

/// The value of a `HAPROXY_*_LOG_FMT` variable.
pub(crate) fn variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "HAPROXY_HTTP_LOG_FMT" => HTTP,
        "HAPROXY_HTTPS_LOG_FMT" => HTTPS,
        "HAPROXY_HTTP_CLF_LOG_FMT" => HTTP_CLF,
        "HAPROXY_TCP_LOG_FMT" => TCP,
        "HAPROXY_TCP_CLF_LOG_FMT" => TCP_CLF,
        _ => return None,
    })
}
