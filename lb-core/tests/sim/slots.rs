//! A pool under random requests, orders and reloads, beside a model that only counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lb_core::balance::{Algorithm, HashMethod, HashType, Key, ServerId};
use lb_core::health::{CheckKind, Status, Verdict};
use lb_core::pool::{
    Acquired, AdminState, CheckDef, Lease, OpState, Outcome, Pool, PoolDef, Request, ServerCell, ServerDef,
    Ticket,
};
use lb_core::rng::Rng;

const STEPS: u32 = 400;

struct Sim {
    rng: Rng,
    now: Instant,
    pool: Arc<Pool>,
    def: PoolDef,
    /// Algorithms that look at every server before a request waits for any of them.
    thorough: bool,
    leases: Vec<Lease>,
    tickets: Vec<Ticket>,
    seed: u64,
    step: u32,
}

#[test]
fn slots_and_queues_agree_with_a_count_of_what_is_held() {
    for seed in super::seeds(60) {
        let mut sim = Sim::new(seed);
        for step in 0..STEPS {
            sim.step = step;
            sim.act();
            sim.collect();
            sim.check();
        }
        sim.drain();
    }
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let algorithms = [
            Algorithm::RoundRobin,
            Algorithm::StaticRr,
            Algorithm::LeastConn,
            Algorithm::First,
            Algorithm::DEFAULT,
            Algorithm::Hash,
        ];
        let algorithm = algorithms[rng.below(6) as usize].clone();
        let thorough = !matches!(algorithm, Algorithm::Random { .. } | Algorithm::Hash);
        let servers = servers(&mut rng);
        let mut def = PoolDef::new("be", algorithm, servers);
        def.all_backups = rng.below(2) == 0;
        def.redispatch = rng.below(2) == 0;
        if rng.below(2) == 0 {
            def.hash = HashType::of(HashMethod::Consistent);
        }
        let now = Instant::now();
        let pool = Pool::new(def.clone(), now).unwrap();
        Self { rng, now, pool, def, thorough, leases: Vec::new(), tickets: Vec::new(), seed, step: 0 }
    }

    fn act(&mut self) {
        self.now += Duration::from_millis(self.rng.below(700));
        match self.rng.below(100) {
            0..45 => self.request(),
            45..75 => self.release(),
            75..80 => self.give_up(),
            80..84 => self.order(),
            84..92 => self.report(),
            92..94 => self.weigh(),
            94..96 => self.limit(),
            96..98 => self.reload(),
            _ => drop(self.pool.handle_timeout(self.now)),
        }
    }

    fn server(&mut self) -> ServerId {
        ServerId(self.rng.below(self.def.servers.len() as u64) as u32)
    }

    fn request(&mut self) {
        let key = self.rng.next_u32();
        let mut request = Request::new().with_key(Key::Hashed(key));
        if self.rng.below(4) == 0 {
            request = request.direct(self.server());
        }
        if self.rng.below(8) == 0 {
            request = request.with_priority(self.rng.below(3) as i16 - 1, self.rng.below(100) as i32);
        }
        if self.rng.below(4) == 0 {
            request = request.avoiding(Some(self.server()));
        }
        match self.pool.acquire(self.now, &request) {
            Acquired::Leased(lease) => self.leases.push(lease),
            Acquired::Queued(ticket) => self.tickets.push(ticket),
            Acquired::NoServer => {
                let census = self.pool.census();
                assert_eq!(census.active + census.backup, 0, "{}", self.place());
            }
            Acquired::QueueFull(server) => {
                let cell = self.pool.server(server).unwrap();
                assert!(cell.queued().cur > 0, "{}", self.place());
            }
        }
    }

    fn release(&mut self) {
        if !self.leases.is_empty() {
            let index = self.rng.below(self.leases.len() as u64) as usize;
            drop(self.leases.swap_remove(index));
        }
    }

    fn give_up(&mut self) {
        if !self.tickets.is_empty() {
            let index = self.rng.below(self.tickets.len() as u64) as usize;
            drop(self.tickets.swap_remove(index));
        }
    }

    fn order(&mut self) {
        let states = [AdminState::Ready, AdminState::Ready, AdminState::Drain, AdminState::Maint];
        let state = states[self.rng.below(4) as usize];
        let server = self.server();
        self.pool.set_state(server, state, self.now).unwrap();
    }

    fn report(&mut self) {
        let statuses = [Status::L4Ok, Status::L4Ok, Status::L4Timeout, Status::L7OkConditional];
        let verdict = Verdict::new(statuses[self.rng.below(4) as usize]);
        let server = self.server();
        self.pool.report_check(server, CheckKind::Health, &verdict, Duration::ZERO, self.now);
    }

    fn weigh(&mut self) {
        let weight = ["0%", "100%"][self.rng.below(2) as usize];
        let server = self.server();
        self.pool.set_weight(server, weight, self.now).unwrap();
    }

    fn limit(&mut self) {
        let limit = self.rng.below(4).to_string();
        let server = self.server();
        self.pool.set_maxconn(server, &limit, self.now).unwrap();
    }

    fn reload(&mut self) {
        self.def.servers = servers(&mut self.rng);
        self.pool.reconfigure(self.def.clone(), self.now).unwrap();
    }

    /// Turns decided tickets into leases.
    fn collect(&mut self) {
        let leases = &mut self.leases;
        self.tickets.retain_mut(|ticket| match ticket.try_take() {
            Some(Outcome::Leased(lease)) => {
                leases.push(lease);
                false
            }
            Some(Outcome::Evicted) => false,
            None => true,
        });
    }

    fn check(&self) {
        let place = self.place();
        let mut held: HashMap<_, u64> = HashMap::new();
        for lease in &self.leases {
            *held.entry(Arc::as_ptr(lease.server())).or_default() += 1;
        }
        let mut waiting: HashMap<_, u64> = HashMap::new();
        let mut waiting_for_any = 0;
        for ticket in &self.tickets {
            match ticket.server() {
                Some(server) => *waiting.entry(Arc::as_ptr(&server)).or_default() += 1,
                None => waiting_for_any += 1,
            }
        }
        assert_eq!(self.pool.queued() as usize, self.tickets.len(), "{place}");
        for index in 0..self.pool.len() as u32 {
            let cell = self.pool.server(ServerId(index)).unwrap();
            let held = held.get(&Arc::as_ptr(&cell)).copied().unwrap_or(0);
            let waiting = waiting.get(&Arc::as_ptr(&cell)).copied().unwrap_or(0);
            assert_eq!(cell.served().cur, held, "{place}: requests on {}", cell.name());
            assert_eq!(cell.queued().cur, waiting, "{place}: requests waiting for {}", cell.name());
            let room = self.has_room(&cell, held);
            assert!(waiting == 0 || !room, "{place}: {} has room but requests wait for it", cell.name());
            let idle = room && self.thorough && self.takes_anybody(&cell);
            assert!(waiting_for_any == 0 || !idle, "{place}: {} has room but requests wait", cell.name());
        }
    }

    fn has_room(&self, cell: &ServerCell, held: u64) -> bool {
        let index = cell.id().unwrap().index();
        let snapshot = &self.pool.server_snapshots(self.now)[index];
        // During a slow start the limit is lower; the next step of it lets more in.
        cell.op() != OpState::Starting && snapshot.limit.is_none_or(|limit| held < u64::from(limit))
    }

    fn takes_anybody(&self, cell: &ServerCell) -> bool {
        let id = cell.id().unwrap();
        let snapshot = &self.pool.server_snapshots(self.now)[id.index()];
        let usable = cell.op() == OpState::Running
            && !cell.admin().is_maint()
            && !cell.admin().is_drain()
            && snapshot.user_weight > 0;
        let census = self.pool.census();
        let in_turn = !snapshot.backup
            || census.active == 0 && (self.def.all_backups || census.first_backup == Some(id));
        usable && in_turn
    }

    /// Gives everything back; nothing may be left.
    fn drain(mut self) {
        self.step = STEPS;
        while !self.leases.is_empty() || !self.tickets.is_empty() {
            if self.leases.pop().is_none() {
                self.tickets.pop();
            }
            self.collect();
        }
        assert_eq!(self.pool.queued(), 0, "{}", self.place());
        assert!(self.pool.server_snapshots(self.now).iter().all(|server| server.sessions.cur == 0));
    }

    fn place(&self) -> String {
        format!("seed {}, step {}, {}", self.seed, self.step, self.def.algorithm.name())
    }
}

fn servers(rng: &mut Rng) -> Vec<ServerDef> {
    let mut servers = Vec::new();
    for (name, id) in ["a", "b", "c", "d", "e", "f"].into_iter().zip(1..) {
        if rng.below(3) == 0 {
            continue;
        }
        let mut server = ServerDef::new(name, id);
        server.weight = rng.below(4) as u32;
        server.maxconn = rng.below(4) as u32;
        server.maxqueue = rng.below(3) as u32;
        server.backup = rng.below(5) == 0;
        server.disabled = rng.below(8) == 0;
        server.check = (rng.below(2) == 0).then_some(CheckDef { rise: 1, fall: 1 });
        server.slowstart = Duration::from_secs(rng.below(2) * 3);
        servers.push(server);
    }
    if servers.is_empty() {
        servers.push(ServerDef::new("a", 1));
    }
    servers
}
