//! `make demo`: one spoken sentence through the whole house, told as it happens.

pub mod request;
