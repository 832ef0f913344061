//! Text into pieces and ids.
