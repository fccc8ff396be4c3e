import type { FastifyRequest } from 'fastify';
import { HoldfastError } from '../errors/errors.ts';
import { findToken, hasTokens, hashOf } from '../auth/tokens.ts';
import { Outage } from '../store/outage.ts';
import { Remembered } from '../store/remembered.ts';
import type { Store } from '../store/store.ts';
import { type Role, roles } from './contract.ts';

/** Who makes a request. */
export interface Caller {
  readonly id: string;
  /** For the audit trail. */
  readonly name: string;
  readonly role: Role;
}

/** Decides who may do what. */
export interface Authorizer {
  /** Throws `unauthorized` without a valid token, `forbidden` with one of too low a role. */
  authorize(request: FastifyRequest, role: Role): Caller | Promise<Caller>;
}

const local: Caller = { id: 'local', name: 'local', role: 'admin' };
const nobody: Caller = { id: 'nobody', name: 'nobody', role: 'public' };
const loopbackAddresses = /^(127\.|::1$|::ffff:127\.)/;
const loopbackHosts = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;
/** How long the answer to "is there any token?" may be old; a new token therefore counts within this time. */
const tokenCheckMs = 1_000;
/** While the store cannot be asked callers are who they were; a token that is revoked elsewhere meanwhile lasts so long. */
const staleMsMax = 60_000;
const callersMax = 1_000;

/** Whether an address to listen on can be reached from this machine alone. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/**
 * Bearer tokens (RFC 6750). While there is no token at all, callers from this machine are admins, and only they: the
 * `Host` header must be a loopback name as well, so that a web page cannot reach the server through a name of its own
 * (DNS rebinding).
 */
export function createAuthorizer(store: Store): Authorizer {
  const outage = new Outage();
  /** By the hashes of their tokens. */
  const callers = new Remembered<Caller>({ entriesMax: callersMax, ageMsMax: staleMsMax });
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  let isOpen = false;
  async function checkOpen(): Promise<void> {
    const { value, isStale } = await outage.read(
      async () => !(await store.read(hasTokens)),
      () => (performance.now() - checkedAtMs < staleMsMax ? isOpen : null),
    );
    isOpen = value;
    if (!isStale) checkedAtMs = performance.now();
  }
  async function byToken(header: string | undefined, role: Role): Promise<Caller> {
    if (header === undefined) {
      throw new HoldfastError('unauthorized', 'A token is needed: send "Authorization: Bearer <token>".');
    }
    const [scheme, token] = header.split(' ');
    if (scheme?.toLowerCase() !== 'bearer' || token === undefined) {
      throw new HoldfastError('unauthorized', 'The Authorization header must be "Bearer <token>".');
    }
    const id = hashOf(token);
    const { value: caller } = await outage.read(
      async () => {
        const found = await store.read((reader) => findToken(reader, token));
        callers.note(id, found);
        return found;
      },
      () => callers.find(id),
    );
    if (caller === null) throw new HoldfastError('unauthorized', 'The token is unknown or was revoked.');
    if (roles.indexOf(caller.role) >= roles.indexOf(role)) return caller;
    throw new HoldfastError('forbidden', `This needs the role ${role}; the token "${caller.name}" has ${caller.role}.`);
  }
  async function afterCheck(request: FastifyRequest, role: Role): Promise<Caller> {
    await checkOpen();
    return isOpen ? requireLocal(request) : byToken(undefined, role);
  }
  return {
    authorize(request, role) {
      if (role === 'public') return nobody;
      const header = request.headers.authorization;
      if (header !== undefined) return byToken(header, role);
      if (performance.now() - checkedAtMs > tokenCheckMs) return afterCheck(request, role);
      return isOpen ? requireLocal(request) : byToken(undefined, role);
    },
  };
}

function requireLocal(request: FastifyRequest): Caller {
  if (!loopbackAddresses.test(request.socket.remoteAddress ?? '')) {
    throw new HoldfastError(
      'unauthorized',
      'Without any token only this machine is served: make one with "holdfast token create".',
    );
  }
  if (!loopbackHosts.test(request.headers.host ?? '')) {
    throw new HoldfastError('forbidden', 'Without any token the Host header must be a loopback name.');
  }
  return local;
}
