//! Behaviour of S3.
