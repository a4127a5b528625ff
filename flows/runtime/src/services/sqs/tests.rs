//! Behaviour of SQS.
