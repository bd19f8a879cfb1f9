import Foundation
import HTTPTypes
import Hummingbird
import Identity
import JSON
import LicenseKitAPI
import Purchases
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy

/// A change that a person asks for, with its parameters.
enum AppAction: Hashable, Sendable {
  case resendKey(LicenseID)
  case resetDevice(DeviceID, of: LicenseID)
  case suspendLicense(LicenseID)
  case reinstateLicense(LicenseID)
  /// - Parameter replacing: whether texts that the dispute already has are replaced.
  case stageEvidence(Stripe.DisputeID, payment: String, replacing: Bool)
  case saveSettings(TenantSettings)
  case disconnect(Stripe.AccountID)

  var operation: AppOperation {
    switch self {
    case .resendKey: .resendKey
    case .resetDevice: .resetDevice
    case .suspendLicense: .suspendLicense
    case .reinstateLicense: .reinstateLicense
    case .stageEvidence: .stageEvidence
    case .saveSettings: .saveSettings
    case .disconnect: .disconnect
    }
  }
}

/// A request of the Dashboard app that changes something: its whole body is signed, with a nonce that is used once.
struct AppActionRequest: Sendable {
  let user: Stripe.UserID
  let tenant: Tenant
  /// The only environment that the signature vouches for; nil if it vouches for all of the mode.
  let signedFor: StripeEnvironment?
  let roles: [AppRole]
  let nonce: String
  /// The id in the request, even if it is wrong: for the audit log.
  let object: String
  let action: AppAction

  /// A verified body: its signer is known, but what it asks for was not read yet.
  struct Verified: Sendable {
    let identity: AppIdentity
    let fields: JSONObject
    let signedFor: StripeEnvironment?
  }

  /// - Throws: 401 `SIGNATURE_INVALID`, also for the plain form, because that does not sign what is asked for.
  static func verified(
    _ request: Request, secrets: ModeSecrets<AppPurpose>, now: Date
  ) async throws -> Verified {
    let body = try await request.bodyBytes(limit: AppQuestion.longestPayload)
    do {
      let signed = try AppSignature.verifyPayload(
        header: request.headers[.stripeSignature], payload: body, secrets: secrets, now: now)
      // Any other fault of a missing mode is reported where the body is read.
      let signedFor = try signed.only(livemode: signed.value.fields["livemode"]?.bool ?? true)
      return Verified(identity: signed.value.identity, fields: signed.value.fields, signedFor: signedFor)
    } catch {
      throw APIFailure.unauthorized(error.code, code: "SIGNATURE_INVALID")
    }
  }

  /// - Throws: 400 `INVALID_JSON` for a field that is unknown or has a wrong type; 422 `VALIDATION_ERROR` for one that is
  ///   missing, does not belong to the operation or cannot be right.
  init(_ verified: Verified) throws(APIFailure) {
    var fields = verified.fields
    roles = AppRole.roles(in: fields)
    fields["stripe_roles"] = nil
    fields["user_id"] = nil
    fields["account_id"] = nil
    let body = try JSONBody.decode(Body.self, from: fields)
    user = verified.identity.userID
    signedFor = verified.signedFor
    tenant = Tenant(account: verified.identity.accountID, livemode: body.livemode)
    guard (16...64).contains(body.nonce.utf8.count), StripeIDText.isPlausible(body.nonce) else {
      throw .validation(field: "nonce", "must be 16 to 64 letters, digits, -, _ or .")
    }
    nonce = body.nonce
    object = body.object
    action = try body.action(of: tenant)
  }

  private struct Body: Decodable {
    var operation: AppOperation
    var object: String
    var livemode: Bool
    var nonce: String
    var license: String?
    var payment: String?
    var replace: Bool?
    var barePayments: Bool?
    var updateCustomers: Bool?

    func action(of tenant: Tenant) throws(APIFailure) -> AppAction {
      guard StripeIDText.isPlausible(object) else { throw .validation(field: "object", "must be an id") }
      let belonging: Set<String>
      let action: AppAction
      switch operation {
      case .resendKey: (action, belonging) = (.resendKey(LicenseID(object)), [])
      case .suspendLicense: (action, belonging) = (.suspendLicense(LicenseID(object)), [])
      case .reinstateLicense: (action, belonging) = (.reinstateLicense(LicenseID(object)), [])
      case .resetDevice:
        guard let license, StripeIDText.isPlausible(license) else {
          throw .validation(field: "license", "is required: the license that the device is bound to")
        }
        (action, belonging) = (.resetDevice(DeviceID(object), of: LicenseID(license)), ["license"])
      case .stageEvidence:
        guard let payment, AppObjectKind.payment.accepts(payment) else {
          throw .validation(field: "payment", "is required: an id that begins with pi_, ch_ or py_")
        }
        action = .stageEvidence(Stripe.DisputeID(object), payment: payment, replacing: replace ?? false)
        belonging = ["payment", "replace"]
      case .saveSettings:
        guard let barePayments else { throw .validation(field: "bare_payments", "is required: true or false") }
        guard let updateCustomers else { throw .validation(field: "update_customers", "is required: true or false") }
        action = .saveSettings(TenantSettings(barePayments: barePayments, updateCustomers: updateCustomers))
        belonging = ["bare_payments", "update_customers"]
      case .disconnect: (action, belonging) = (.disconnect(tenant.account), [])
      }
      if operation == .disconnect || operation == .saveSettings, object != tenant.account.rawValue {
        throw .validation(field: "object", "must be the account's own id")
      }
      for (name, isGiven) in given where isGiven && !belonging.contains(name) {
        throw .validation(field: name, "does not belong to \(operation.rawValue)")
      }
      return action
    }

    private var given: [(String, Bool)] {
      [
        ("license", license != nil), ("payment", payment != nil), ("replace", replace != nil),
        ("bare_payments", barePayments != nil), ("update_customers", updateCustomers != nil),
      ]
    }
  }
}
