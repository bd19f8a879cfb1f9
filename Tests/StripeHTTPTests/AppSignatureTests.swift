import Foundation
import Identity
import JSON
import StripeAPI
@testable import StripeHTTP
import Testing

@Suite("Signatures of the Dashboard's views")
struct AppSignatureTests {
  let now = Date(timeIntervalSince1970: 1_700_000_000)
  let user = "usr_K6yd2CbXLO9A5G"
  let account = "acct_1JSkf6FRwUQjTSJE"
  let plain = "t=1700000000,v1=95d377f7216b002bc8462ad7ad1c21ae33f54bfd7f12f1fe86f43cfd56123df3"
  let full = "t=1700000000,v1=b272560bc7c68ad5e1524edad1afa4074a547e2de97c1c1696e4fac9260b7dd1"
  let fullBody =
    #"{"operation":"licenses.list","nonce":"n-001","livemode":true,"user_id":"usr_K6yd2CbXLO9A5G","account_id":"acct_1JSkf6FRwUQjTSJE"}"#

  func secrets() throws -> [AppSigningSecret] { [try AppSigningSecret("absec_test_secret")] }

  func identify(
    _ header: String?, user: String?, account: String?, at time: Date? = nil
  ) throws -> Result<AppIdentity, SignatureError> {
    let secrets = try secrets()
    return Result { () throws(SignatureError) in
      try AppSignature.verifyIdentity(
        header: header, userID: user, accountID: account, secrets: secrets, now: time ?? now)
    }
  }

  func read(_ header: String?, _ body: String, at time: Date? = nil) throws -> Result<AppSignedPayload, SignatureError>
  {
    let secrets = try secrets()
    return Result { () throws(SignatureError) in
      try AppSignature.verifyPayload(header: header, payload: Array(body.utf8), secrets: secrets, now: time ?? now)
    }
  }

  @Test("The plain form vouches for the two ids the request states")
  func plainForm() throws {
    let identity = try identify(plain, user: user, account: account).get()
    #expect(identity.userID.rawValue == user)
    #expect(identity.accountID.rawValue == account)
  }

  @Test("Another account's id under the same signature is refused")
  func otherAccount() throws {
    #expect(try identify(plain, user: user, account: "acct_other") == .failure(.mismatch))
    #expect(try identify(plain, user: "usr_other", account: account) == .failure(.mismatch))
    #expect(try identify(plain, user: account, account: user) == .failure(.mismatch))
  }

  @Test(
    "Ids that are absent or would need escaping never reach the signed bytes",
    arguments: [
      nil, "", "usr 1", #"usr","account_id":"acct_2"#, "usr_é", "usr-1", "usr\u{0}", String(repeating: "a", count: 256),
    ])
  func strangeIDs(_ text: String?) throws {
    #expect(try identify(plain, user: text, account: account) == .failure(.invalidIdentity))
    #expect(try identify(plain, user: user, account: text) == .failure(.invalidIdentity))
  }

  @Test("The age is checked in both directions")
  func age() throws {
    #expect(try identify(plain, user: user, account: account, at: now + 301) == .failure(.tooOld))
    #expect(try identify(plain, user: user, account: account, at: now - 301) == .failure(.fromTheFuture))
    #expect(try read(full, fullBody, at: now + 301) == .failure(.tooOld))
    #expect(try read(full, fullBody, at: now - 301) == .failure(.fromTheFuture))
  }

  @Test("The full form vouches for every field, and the ids come from what was signed")
  func fullForm() throws {
    let payload = try read(full, fullBody).get()
    #expect(payload.identity.accountID.rawValue == account)
    #expect(payload.fields["operation"] == "licenses.list")
    #expect(payload.fields["livemode"] == true)
  }

  @Test("In the full form the bytes count, not what they mean")
  func sameMeaningOtherBytes() throws {
    let spaced = fullBody.replacingOccurrences(of: ",", with: ", ")
    #expect(try read(full, spaced) == .failure(.mismatch))
    #expect(try read(plain, fullBody) == .failure(.mismatch))
  }

  @Test("A signed payload without the ids, or that is no object, is refused")
  func signedButUseless() throws {
    for (body, expected) in [
      (#"{"operation":"x"}"#, SignatureError.invalidIdentity),
      (#"{"user_id":"usr_1","account_id":null}"#, .invalidIdentity),
      (#"{"user_id":"usr 1","account_id":"acct_1"}"#, .invalidIdentity),
      (#"["usr_1"]"#, .malformedPayload), ("", .malformedPayload), ("{", .malformedPayload),
    ] {
      let header = AppSignature.sign(payload: Array(body.utf8), secrets: try secrets(), at: now)
      #expect(try read(header, body) == .failure(expected))
    }
  }

  @Test("The bytes of an install link verify like any payload")
  func installLink() throws {
    let header = "t=1700000000,v1=d951dc5098c42b7cd4ad5e263a2a8bd8e4b9a5dd29c03e0872e3228299ee319f"
    let payload = try read(header, #"{"state":"st-123","user_id":"\#(user)","account_id":"\#(account)"}"#).get()
    #expect(payload.fields["state"] == "st-123")
  }

  @Test("What the simulator signs is what Stripe signs")
  func signing() throws {
    #expect(try AppSignature.sign(userID: user, accountID: account, secrets: secrets(), at: now) == plain)
    #expect(AppSignature.sign(payload: Array(fullBody.utf8), secrets: try secrets(), at: now) == full)
    #expect(throws: SignatureError.invalidIdentity) {
      try AppSignature.sign(userID: "usr 1", accountID: account, secrets: secrets(), at: now)
    }
  }
}
