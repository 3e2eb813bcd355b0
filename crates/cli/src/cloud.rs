//! The real cloud behind the ports.
