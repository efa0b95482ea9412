//! What comes before the protocol: PROXY header and TLS.

use super::Connection;

/// Completes the handshakes of a connection and hands it to its protocol.
pub(super) async fn serve(connection: Connection) {
    let generation = connection.generation.clone();
    let Some(protocol) = generation.protocol(connection.proxy).cloned() else { return };
    drop(generation);
    let counters = &connection.frontend().state.front.counters;
    counters.of(connection.worker.id()).sessions.inc();
    protocol.serve(connection).await;
}
