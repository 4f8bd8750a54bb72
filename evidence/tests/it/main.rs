//! Other people's programs judge what the archive proves with; each also refuses a damaged twin.

mod foreign;
mod map;
