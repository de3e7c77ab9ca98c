//! The OpenAPI document against the router.

mod any_request;
mod openapi;
