//! What `jarvisctl costs` brings.

use jarvis_core::mind::date::Day;
use serde_json::Value;

use super::answers::to_value;
use crate::ctl::client::Costs;
use crate::ctl::protocol::Trouble;
use crate::mind::today;
use crate::status::House;
use crate::store::{By, StoreError};

pub(super) async fn answer(house: &House, by: By, since: Option<Day>) -> Result<Value, Trouble> {
    let trouble = |error: StoreError| Trouble::new(error, "jarvisctl doctor");
    let spent = house.minds.books().spent().await.map_err(trouble)?;
    let since = since.unwrap_or_else(|| today().first_of_month());
    let lines = house.store.cost_figures(by, since).await.map_err(trouble)?;
    to_value(&Costs { spent, caps: house.minds.caps(), lines })
}
