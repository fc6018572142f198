//! Too much at once, from either end.

use crate::house::{house, kitchen};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_wakes_in_a_row_all_come_to_their_end() {
    let (_state, mut daemon, room) = house().await;
    for _ in 0..100 {
        let utterance = room.open(5);
        room.close(utterance);
        let (ended, frames, _) = daemon.utterance().await;
        assert_eq!((ended, frames.len()), (utterance, 5));
        daemon.hub.settle(&kitchen(), utterance).await.unwrap();
    }
}
