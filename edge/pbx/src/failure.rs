//! The catalogue of call failures: code, whose fault, SIP status, whether to retry, remedy.
