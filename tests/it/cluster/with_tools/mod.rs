//! All of them need Valkey, which `tests/valkey/get` gets; `cuts` also root. What they measure they print.

mod agree;
mod cuts;
mod itself;
mod judged;
mod kills;
mod memory;
mod moves;
mod order;
mod slots;
