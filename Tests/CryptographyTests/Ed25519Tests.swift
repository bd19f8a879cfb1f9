import Cryptography
import Testing

@Suite("Ed25519")
struct Ed25519Tests {
  let seed = Hex.decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60") ?? []

  @Test("The first test of RFC 8032: an empty message")
  func rfc8032() throws {
    let key = try Ed25519PrivateKey(seed: seed)
    #expect(
      Hex.encode(key.publicKey.rawRepresentation) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    #expect(
      Hex.encode(try key.sign([]))
        == "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    #expect(key.publicKey.isValid(try key.sign([]), for: []))
  }

  @Test(
    "Signatures over exact bytes that client libraries verify",
    arguments: [
      (
        #"{"license_id":"lic_1","status":"active","license_type":"subscription","entitlement_version":7,"issued_at":"2026-03-24T00:00:00Z","next_check_at":"2026-03-25T00:00:00Z","expires_at":"2026-04-24T00:00:00Z","device_id":"dev_1","features":[{"code":"api_calls","enabled":true,"quota":1000,"consumed":3,"remaining":997}],"version_eligibility":{"app_version":"1.4.0+build/5","is_entitled":true,"enforced":false}}"#,
        405, "iQzBYZ4sZ9xkm7TZB7nSlei+BZ2vIW0W2iZiru4qy2npyuEwZXhmAgze9/N7ePZuthXWJKCw/tVc00CCfoZlDw=="
      ),
      (
        #"{"license_id":"lic_1","status":"active","license_type":"perpetual","entitlement_version":8,"issued_at":"2026-03-24T00:00:00Z","device_id":"dev_1"}"#,
        146, "O+NfaGe/eh0gaXiLyg+u8G+P9d6MJtT7z0nOwIPgxUb2bareuR3eKlhjiKa8HrLvL+aGNqncWqZcbf6QZ7v3Dg=="
      ),
      (
        #"{"license_id":"lic_1","status":"active","license_type":"perpetual","entitlement_version":8,"issued_at":"2026-03-24T00:00:00Z","device_id":"dev_\#u{E9}"}"#,
        147, "f7ehg8AtNBwaiV/XDrg6l+EaPY0HMQKlubYcaSpgXkwl8iV3UGklDdi+5BaeuKo2LrvQ8Xms10BKIippNTcfBg=="
      ),
    ])
  func exactBytes(document: String, count: Int, signature: String) throws {
    let key = try Ed25519PrivateKey(seed: seed)
    #expect(key.publicKey.description == "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    #expect(document.utf8.count == count)
    #expect(Base64.encode(try key.sign(Array(document.utf8))) == signature)
    #expect(key.publicKey.isValid(Base64.decode(signature) ?? [], for: Array(document.utf8)))
  }

  @Test("A changed message, a changed signature, another key and a cut signature are refused")
  func refusals() throws {
    let key = Ed25519PrivateKey()
    let message = Array("message".utf8)
    var signature = try key.sign(message)
    #expect(key.publicKey.isValid(signature, for: message))
    #expect(!key.publicKey.isValid(signature, for: Array("messagf".utf8)))
    #expect(!Ed25519PrivateKey().publicKey.isValid(signature, for: message))
    #expect(!key.publicKey.isValid(Array(signature.dropLast()), for: message))
    #expect(!key.publicKey.isValid([], for: message))
    signature[10] ^= 1
    #expect(!key.publicKey.isValid(signature, for: message))
  }

  @Test("Keys of another length are refused")
  func lengths() {
    #expect(throws: Ed25519Error.wrongLength(bytes: 31)) { try Ed25519PrivateKey(seed: Array(seed.dropLast())) }
    #expect(throws: Ed25519Error.wrongLength(bytes: 0)) { try Ed25519PublicKey(rawRepresentation: []) }
  }

  @Test("A key shows its public half only")
  func description() throws {
    let key = try Ed25519PrivateKey(seed: seed)
    for text in ["\(key)", String(reflecting: key)] { #expect(!text.contains("157") && !text.contains("9d61")) }
    var dumped = ""
    dump(key, to: &dumped)
    #expect(!dumped.contains("seed"))
  }

  @Test("One key signs in many tasks at once")
  func concurrent() async throws {
    let key = try Ed25519PrivateKey(seed: seed)
    let expected = try key.sign([1, 2, 3])
    let wrong = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask {
          try (0..<100).count { _ in
            try key.sign([1, 2, 3]) != expected || !key.publicKey.isValid(expected, for: [1, 2, 3])
          }
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(wrong == 0)
  }
}
