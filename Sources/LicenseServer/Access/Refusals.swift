import HTTPTypes
import LicenseKitAPI
import ServerKit

/// The refusals of the contract that are this server's own. The codes of the first group are published; the others are
/// this server's choice, and clients branch on the status first.
extension APIFailure {
  static func scopeDenied(_ scope: ManagementScope) -> APIFailure {
    APIFailure(
      .forbidden, code: "TOKEN_SCOPE_DENIED", message: "The token does not have the scope this operation needs.",
      detail: "requires \(scope.rawValue)")
  }

  static var idempotencyConflict: APIFailure {
    .conflict("the idempotency key was used with another request", code: "IDEMPOTENCY_CONFLICT")
  }

  static var licenseExpired: APIFailure {
    APIFailure(.forbidden, code: "LICENSE_EXPIRED", message: "The license has expired.")
  }

  static func licenseInactive(_ detail: String) -> APIFailure {
    APIFailure(.forbidden, code: "LICENSE_INACTIVE", message: "The license is not active.", detail: detail)
  }

  static func activationLimitExceeded(limit: Int) -> APIFailure {
    APIFailure(
      .forbidden, code: "ACTIVATION_LIMIT_EXCEEDED", message: "No seat is free.",
      detail: "the policy allows \(limit) at a time")
  }

  static func featureQuotaExceeded(remaining: Int64) -> APIFailure {
    APIFailure(
      .forbidden, code: "FEATURE_QUOTA_EXCEEDED", message: "The feature's quota does not cover this.",
      detail: "\(remaining) remaining")
  }

  static var deviceBlacklisted: APIFailure {
    APIFailure(.forbidden, code: "DEVICE_BLACKLISTED", message: "This device is blocked.")
  }

  // Not published: this server's own.

  static func featureNotEnabled(_ code: String) -> APIFailure {
    APIFailure(
      .forbidden, code: "FEATURE_NOT_ENABLED", message: "The feature is switched off or has ended.", detail: code)
  }

  static func versionNotEntitled(_ version: String) -> APIFailure {
    APIFailure(
      .forbidden, code: "VERSION_NOT_ENTITLED", message: "The license does not cover this version.", detail: version)
  }

  static var vmNotAllowed: APIFailure {
    APIFailure(.forbidden, code: "VM_NOT_ALLOWED", message: "The policy does not allow virtual machines.")
  }

  static var containerNotAllowed: APIFailure {
    APIFailure(.forbidden, code: "CONTAINER_NOT_ALLOWED", message: "The policy does not allow containers.")
  }

  static var licenseKeyRequired: APIFailure { .unauthorized("a license key is required") }

  static var licenseKeyNotValid: APIFailure { .unauthorized("the license key is not valid") }

  static var noSigningKey: APIFailure {
    .unavailable("the tenant has no signing key", code: "NO_SIGNING_KEY")
  }

  static var floatingNotAllowed: APIFailure {
    APIFailure(
      .forbidden, code: "FLOATING_NOT_ALLOWED", message: "The policy has no floating pool.",
      detail: "max_floating_users of the policy is not set, or 0")
  }

  static func floatingLimitExceeded(limit: Int) -> APIFailure {
    APIFailure(
      .forbidden, code: "FLOATING_LIMIT_EXCEEDED", message: "No place in the floating pool is free.",
      detail: "the policy allows \(limit) at a time")
  }

  static var leaseNotFound: APIFailure {
    APIFailure(
      .notFound, code: "LEASE_NOT_FOUND", message: "The license has no such lease.",
      detail: "lease_token: it is unknown, was checked in, or has expired")
  }

  static func offlineNotAllowed(_ detail: String) -> APIFailure {
    APIFailure(
      .forbidden, code: "OFFLINE_NOT_ALLOWED", message: "Offline use is not allowed here.", detail: detail)
  }

  static var idempotencyKeyRequired: APIFailure {
    APIFailure(
      .badRequest, code: "IDEMPOTENCY_KEY_REQUIRED", message: "This operation needs an Idempotency-Key header.",
      detail: "Idempotency-Key: 1 to 255 characters")
  }
}
