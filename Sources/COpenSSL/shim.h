#pragma once
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

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
