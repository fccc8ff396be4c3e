import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A server that speaks the part of Vault's API that the Transit engine serves
 * (https://developer.hashicorp.com/vault/api-docs/secret/transit), with keys of its own, tokens that end and a seal. Vault
 * itself is in no Debian package.
 */
export interface TransitServer {
  readonly url: string;
  readonly calls: string[];
  /** Tokens that are let in. */
  readonly tokens: Set<string>;
  isSealed: boolean;
  /** Answers nothing while set. */
  isHanging: boolean;
  makeKey(name: string): void;
  /** A new version of a key; older ciphertexts are still decrypted. */
  rotateKey(name: string): void;
  deleteKey(name: string): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startTransitServer(token: string): Promise<TransitServer> {
  const keys = new Map<string, Buffer[]>();
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  const transit: TransitServer = {
    url: '',
    calls: [],
    tokens: new Set([token]),
    isSealed: false,
    isHanging: false,
    makeKey: (name) => void keys.set(name, [randomBytes(32)]),
    rotateKey: (name) => void keys.get(name)!.push(randomBytes(32)),
    deleteKey: (name) => void keys.delete(name),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    transit.calls.push(`${request.method} ${request.url}`);
    if (transit.isHanging) return;
    const reply = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const refuse = (status: number, ...errors: string[]) => reply(status, { errors });
    if (transit.isSealed) return refuse(503, 'Vault is sealed');
    if (!transit.tokens.has(String(request.headers['x-vault-token']))) {
      return refuse(403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n');
    }
    const [, verb, name] = /^\/v1\/transit\/(encrypt|decrypt)\/([\w-]+)$/.exec(request.url ?? '') ?? [];
    if (request.method !== 'POST' || verb === undefined) return refuse(404);
    const versions = keys.get(name!);
    // Without a key of the name, encrypting would need the right to make one.
    if (versions === undefined) return refuse(400, 'encryption key not found');
    const body = JSON.parse(Buffer.concat(pieces).toString()) as Record<string, string>;
    if (verb === 'encrypt') return reply(200, { data: { ciphertext: encrypt(versions, body['plaintext']!) } });
    const plaintext = decrypt(versions, body['ciphertext'] ?? '');
    if (plaintext === null) return refuse(400, 'invalid ciphertext: unable to decrypt');
    return reply(200, { data: { plaintext } });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  Object.assign(transit, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  return transit;
}

function encrypt(versions: readonly Buffer[], plaintext: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', versions.at(-1)!, nonce);
  const bytes = Buffer.concat([nonce, cipher.update(plaintext, 'base64'), cipher.final(), cipher.getAuthTag()]);
  return `vault:v${versions.length}:${bytes.toString('base64')}`;
}

function decrypt(versions: readonly Buffer[], ciphertext: string): string | null {
  const [, version, text] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? [];
  const key = versions[Number(version) - 1];
  const bytes = Buffer.from(text ?? '', 'base64');
  if (key === undefined || bytes.length < 28) return null;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
  decipher.setAuthTag(bytes.subarray(-16));
  const plain = decipher.update(bytes.subarray(12, -16));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return plain.toString('base64');
}
