// Verifies signed answers as the TypeScript client does: parse, JSON.stringify of `data`, WebCrypto Ed25519.
// Standard input: {"keys": [...], "answers": ["text of an answer", ...]}. Prints one true or false for each answer.
import { webcrypto } from "node:crypto";

let input = "";
for await (const part of process.stdin) input += part;
const { keys, answers } = JSON.parse(input);
const results = [];
for (const text of answers) {
  const { data, signature } = JSON.parse(text);
  const known = keys.find((key) => key.kid === signature.kid);
  const raw = Buffer.from(known.public_key, "base64");
  const key = await webcrypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  const bytes = new TextEncoder().encode(JSON.stringify(data));
  results.push(await webcrypto.subtle.verify("Ed25519", key, Buffer.from(signature.value, "base64"), bytes));
}
console.log(JSON.stringify(results));
