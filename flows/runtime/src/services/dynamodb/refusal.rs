//! Why DynamoDB refuses, before it is known which integration asked.

use crate::services::sdk::Fault;

use super::value::Item;

/// A refusal of DynamoDB's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    /// What it is.
    pub(super) kind: Kind,
    /// In words.
    pub(super) message: String,
}

/// The exceptions of DynamoDB that can come of what is served here (API Reference, "Common
/// errors" and each action's own).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// The request makes no sense.
    Validation,
    /// It cannot even be read.
    Serialization,
    /// There is no such table or index.
    ResourceNotFound,
    /// The condition is not met; with the item as it is, if it was asked for.
    ConditionalCheckFailed(Option<Item>),
    /// A transaction was called off.
    TransactionCanceled,
    /// Another request came between more often than it was tried again.
    TransactionConflict,
    /// There is a table of that name.
    ResourceInUse,
    /// There are as many tables as there may be.
    LimitExceeded,
    /// A token came again with other parameters.
    IdempotentParameterMismatch,
    /// The store failed.
    Internal,
}

impl Refusal {
    /// A request that makes no sense.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self { kind: Kind::Validation, message: message.into() }
    }

    /// A request that cannot be read.
    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self { kind: Kind::Serialization, message: message.into() }
    }

    /// There is no such table.
    pub(super) fn no_table(name: &str) -> Self {
        let message = format!("Requested resource not found: Table: {name} not found");
        Self { kind: Kind::ResourceNotFound, message }
    }

    /// There is no such table, and nothing tells how to make it.
    pub(super) fn no_key(name: &str) -> Self {
        let no_table = Self::no_table(name);
        let message = format!(
            "{}, and its key cannot be told from the item; make it with createTable",
            no_table.message
        );
        Self { message, ..no_table }
    }

    /// The condition is not met.
    pub(super) fn condition(item: Option<Item>) -> Self {
        let message = "The conditional request failed".to_owned();
        Self { kind: Kind::ConditionalCheckFailed(item), message }
    }

    /// Its name in AWS's API.
    pub(super) fn code(&self) -> &'static str {
        match self.kind {
            Kind::Validation => "ValidationException",
            Kind::Serialization => "SerializationException",
            Kind::ResourceNotFound => "ResourceNotFoundException",
            Kind::ConditionalCheckFailed(_) => "ConditionalCheckFailedException",
            Kind::ResourceInUse => "ResourceInUseException",
            Kind::LimitExceeded => "LimitExceededException",
            Kind::TransactionCanceled => "TransactionCanceledException",
            Kind::TransactionConflict => "TransactionConflictException",
            Kind::IdempotentParameterMismatch => "IdempotentParameterMismatchException",
            Kind::Internal => "InternalServerError",
        }
    }

    /// As a fault of the SDK: the two that the model does not know take the service's own name.
    pub(super) fn fault(self) -> Fault {
        let modelled = !matches!(self.kind, Kind::Validation | Kind::Serialization);
        let status = if self.kind == Kind::Internal { 500 } else { 400 };
        Fault { code: self.code(), modelled, status, message: self.message }
    }
}
