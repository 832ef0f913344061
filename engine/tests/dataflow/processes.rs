//! Meshes of real processes: this test program starts itself again, and is killed.
