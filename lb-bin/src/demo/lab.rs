//! The machines of the demonstration: network namespaces, joined by a bridge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// The configuration files of the article, and what they refer to.
const FILES: [(&str, &str); 4] = [
    ("haproxy.cfg", include_str!("../../demo/haproxy.cfg")),
    ("keepalived.conf", include_str!("../../demo/keepalived.conf")),
    ("demo.pem", include_str!("../../demo/demo.pem")),
    ("node.sh", include_str!("../../demo/node.sh")),
];

/// All machines.
pub(crate) struct Lab {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The floating address.
    pub address: &'static str,
    /// Where the client runs.
    pub client: Option<String>,
    dir: PathBuf,
    namespaces: Vec<String>,
    interrupted: Arc<AtomicBool>,
}

/// One node.
pub(crate) struct Node {
    /// Its host name in the article.
    pub name: String,
    /// The address of its SMTP server.
    pub smtp: String,
    namespace: Option<String>,
    link: Option<(String, String)>,
    dir: PathBuf,
    children: Vec<Child>,
    /// Killed: what its interface still shows serves nobody.
    dead: bool,
}

/// Waits. The demonstration watches others; nothing of it depends on being on time.
pub(crate) fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "watching needs pauses, not timers")]
    std::thread::sleep(time);
}

/// Without root, starts the program again as root of a user namespace; answers the exit status of that run.
pub(crate) fn become_root_of_a_user_namespace() -> Result<Option<i32>, String> {
    if rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let allowed = Command::new("unshare").args(["-Urnm", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|s| s.success()) {
        return Ok(None);
    }
    let status = Command::new("unshare")
        .args(["-Urnm", "--", "sh", "-c", "mount -t tmpfs tmpfs /run && exec \"$@\"", "sh"])
        .arg(own)
        .args(std::env::args_os().skip(1))
        // Only one account exists inside: what the configuration would run as another runs as this one.
        .env("DEMO_UID", "0")
        .status()
        .map_err(|e| format!("cannot make a user namespace: {e}"))?;
    Ok(Some(status.code().unwrap_or(1)))
}

/// Whether network namespaces can be made.
pub(crate) fn namespaces_are_allowed() -> bool {
    let name = format!("lbd{}-try", std::process::id());
    let made = ip(&["netns", "add", &name]).is_ok();
    if made {
        let _ = ip(&["netns", "del", &name]);
    }
    made
}

/// Becomes true at a signal that would end the program: what it made must be removed first.
fn interruption() -> std::io::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    let mut hup = signal(SignalKind::hangup())?;
    drop(inside);
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
                _ = hup.recv() => {}
            }
        });
        raised.store(true, Ordering::Relaxed);
    });
    Ok(flag)
}

fn ip(words: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("cannot run `ip` (package iproute2): {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

impl Lab {
    /// Two nodes and a client on a bridge.
    pub(crate) fn pair() -> Result<Self, String> {
        let id = std::process::id();
        let mut lab = Self::empty("10.0.10.3")?;
        let switch = format!("lbd{id}-sw");
        lab.namespace(&switch)?;
        ip(&["-n", &switch, "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", &switch, "link", "set", "br0", "up"])?;
        for (at, host) in ["dc1server01", "dc1server02"].into_iter().enumerate() {
            let namespace = format!("lbd{id}-n{}", at + 1);
            let port = format!("p{}", at + 1);
            lab.join(&namespace, &switch, &port, &format!("10.0.10.{}/24", at + 1))?;
            lab.nodes.push(Node {
                name: host.to_owned(),
                smtp: format!("10.0.10.{}:25", at + 1),
                namespace: Some(namespace),
                link: Some((switch.clone(), port)),
                dir: lab.dir.join(host),
                children: Vec::new(),
                dead: false,
            });
        }
        let client = format!("lbd{id}-cl");
        lab.join(&client, &switch, "p3", "10.0.10.100/24")?;
        lab.client = Some(client);
        Ok(lab)
    }

    /// One node on the loopback interface.
    pub(crate) fn single() -> Result<Self, String> {
        let mut lab = Self::empty("127.0.10.3")?;
        for name in ["haproxy.cfg", "keepalived.conf"] {
            let path = lab.dir.join(name);
            let text = fs::read_to_string(&path).map_err(|e| e.to_string())?;
            let text = text.replace("10.0.10.", "127.0.10.").replace("eth0", "lo").replace(":25", ":2525");
            fs::write(path, text).map_err(|e| e.to_string())?;
        }
        let dir = lab.dir.join("dc1server01");
        lab.nodes.push(Node {
            name: "dc1server01".to_owned(),
            smtp: "127.0.10.1:2525".to_owned(),
            namespace: None,
            link: None,
            dir,
            children: Vec::new(),
            dead: false,
        });
        Ok(lab)
    }

    fn empty(address: &'static str) -> Result<Self, String> {
        let dir = std::env::temp_dir().join(format!("lb-demo-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        for (name, text) in FILES {
            fs::write(dir.join(name), text).map_err(|e| format!("{name}: {e}"))?;
        }
        let interrupted = interruption().map_err(|e| format!("cannot listen to signals: {e}"))?;
        Ok(Self { nodes: Vec::new(), address, client: None, dir, namespaces: Vec::new(), interrupted })
    }

    /// Whether the demonstration was told to stop.
    pub(crate) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn namespace(&mut self, name: &str) -> Result<(), String> {
        ip(&["netns", "add", name])?;
        self.namespaces.push(name.to_owned());
        ip(&["-n", name, "link", "set", "lo", "up"]).map(drop)
    }

    fn join(&mut self, name: &str, switch: &str, port: &str, address: &str) -> Result<(), String> {
        self.namespace(name)?;
        ip(&["-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", switch])?;
        ip(&["-n", switch, "link", "set", port, "master", "br0", "up"])?;
        ip(&["-n", name, "addr", "add", address, "dev", "eth0"])?;
        ip(&["-n", name, "link", "set", "eth0", "up"]).map(drop)
    }

    /// Starts the SMTP servers and the program on every node.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let root = self.dir.clone();
        for node in &mut self.nodes {
            node.start(&root)?;
        }
        Ok(())
    }

    /// The node that holds the address, if exactly one does.
    pub(crate) fn master(&self) -> Option<usize> {
        let mut holders = (0..self.nodes.len()).filter(|&at| self.nodes[at].holds(self.address));
        holders.next().filter(|_| holders.next().is_none())
    }

    /// A command that runs where the client is.
    pub(crate) fn client_command(&self) -> Result<Command, String> {
        let own = std::env::current_exe().map_err(|e| e.to_string())?;
        Ok(within(self.client.as_deref(), &own))
    }

    /// What the nodes said.
    pub(crate) fn logs(&self) -> String {
        let log = |node: &Node| {
            let text = fs::read_to_string(node.dir.join("log")).unwrap_or_default();
            format!("--- {}\n{text}", node.name)
        };
        self.nodes.iter().map(log).collect()
    }

    /// Where mails that a node's SMTP server stored are counted.
    pub(crate) fn stored(&self, node: usize) -> usize {
        fs::read_to_string(self.nodes[node].dir.join("mails")).map_or(0, |text| text.lines().count())
    }
}

fn within(namespace: Option<&str>, program: &Path) -> Command {
    match namespace {
        None => Command::new(program),
        Some(namespace) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace]).arg(program);
            command
        }
    }
}

impl Node {
    fn start(&mut self, root: &Path) -> Result<(), String> {
        fs::create_dir_all(&self.dir).map_err(|e| e.to_string())?;
        let own = std::env::current_exe().map_err(|e| e.to_string())?;
        let mails = fs::File::create(self.dir.join("mails")).map_err(|e| e.to_string())?;
        let log = fs::File::create(self.dir.join("log")).map_err(|e| e.to_string())?;
        let spawn = |mut command: Command| command.stdin(Stdio::null()).spawn().map_err(|e| e.to_string());
        let mut smtp = within(self.namespace.as_deref(), &own);
        smtp.args(["demo", "--role", &format!("smtp:{}", self.smtp)]).stdout(mails);
        self.children.push(spawn(smtp)?);
        let copy = log.try_clone().map_err(|e| e.to_string())?;
        let mut lb = match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, "unshare", "-m", "sh"]).arg(root.join("node.sh"));
                command.arg(&own).arg(&self.dir).arg(&self.name);
                command
            }
            None => {
                let mut command = Command::new(&own);
                command.args(["run", "-f"]).arg(root.join("haproxy.cfg"));
                command
            }
        };
        lb.stdout(log).stderr(copy);
        self.children.push(spawn(lb)?);
        Ok(())
    }

    fn holds(&self, address: &str) -> bool {
        if self.dead {
            return false;
        }
        let Some(namespace) = &self.namespace else { return true };
        let shown = ip(&["-n", namespace, "-4", "-o", "addr", "show", "dev", "eth0"]).unwrap_or_default();
        shown.contains(&format!(" {address}/"))
    }

    /// Kills the balancing part alone.
    pub(crate) fn kill_proxy(&mut self) -> Result<(), String> {
        let parts: Vec<_> = self.processes().into_iter().filter(|pid| comm(*pid) == "lb-proxy").collect();
        if parts.is_empty() {
            return Err(format!("{}: no part lb-proxy is running", self.name));
        }
        parts.into_iter().for_each(kill);
        Ok(())
    }

    /// Kills everything on the node and cuts its cable.
    pub(crate) fn kill_all(&mut self) -> Result<(), String> {
        self.dead = true;
        if let Some((switch, port)) = &self.link {
            ip(&["-n", switch, "link", "set", port, "down"])?;
        }
        self.processes().into_iter().for_each(kill);
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.children.clear();
        Ok(())
    }

    /// All processes of the node, parents first.
    fn processes(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.children.iter().map(Child::id).collect();
        let mut at = 0;
        while at < all.len() {
            let children = format!("/proc/{0}/task/{0}/children", all[at]);
            let text = fs::read_to_string(children).unwrap_or_default();
            all.extend(text.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            at += 1;
        }
        all
    }
}

fn comm(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn kill(pid: u32) {
    // It may have ended by itself.
    let _ = lb_core::process::send_signal(pid, libc::SIGKILL);
}

impl Drop for Lab {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.kill_all();
        }
        for namespace in self.namespaces.drain(..) {
            let _ = ip(&["netns", "del", &namespace]);
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}
