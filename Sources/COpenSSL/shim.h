#pragma once
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Swift cannot call OpenSSL's macros, nor build its parameter arrays without casts. These wrappers do no more than that.

/// A context of `mac` keyed for HMAC-SHA-256, or NULL when memory is short. `key` must not be NULL, even for length 0.
static inline EVP_MAC_CTX *copenssl_hmac_sha256_context(EVP_MAC *mac, const unsigned char *key, size_t length) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[2];
  parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
  parameters[1] = OSSL_PARAM_construct_end();
  EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
  if (context != NULL && EVP_MAC_init(context, key, length, parameters) != 1) {
    EVP_MAC_CTX_free(context);
    context = NULL;
  }
  return context;
}

/// Appends the authentication tag's 16 bytes of a finished encryption to `tag`. 1 on success.
static inline int copenssl_gcm_get_tag(EVP_CIPHER_CTX *context, unsigned char *tag) {
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag);
}

/// Gives a decryption the 16 byte tag it must end with. 1 on success.
static inline int copenssl_gcm_set_tag(EVP_CIPHER_CTX *context, const unsigned char *tag) {
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, (void *)tag);
}

static inline EVP_PKEY *copenssl_ed25519_private(const unsigned char *seed) {
  return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
}

static inline EVP_PKEY *copenssl_ed25519_public(const unsigned char *bytes) {
  return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, 32);
}

// TLS for a client that reads and writes in its own time.

/// 1 when nothing older than TLS 1.2 is spoken.
static inline int copenssl_require_tls_1_2(SSL_CTX *context) {
  return (int)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

/// The certificate must be that of `host`, a name or an address, and the server is told the name. 1 when it is set.
static inline int copenssl_expect_host(SSL *session, const char *host) {
  // A read returns after a message that holds no data (a ticket), so that it never waits for what is not owed.
  SSL_clear_mode(session, SSL_MODE_AUTO_RETRY);
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1) return 1;
  if (SSL_set1_host(session, host) != 1) return 0;
  return (int)SSL_set_tlsext_host_name(session, host);
}
