import { type KeyObject, randomBytes } from 'node:crypto';
import type { Access, User } from '../access/access.ts';
import { objectError } from '../errors.ts';
import { parseAuthorization } from './signature/authorization.ts';
import type { Authorization, SignedRequest } from './signature/signed-request.ts';
import { SigningKeyCache } from './signature/signing-key-cache.ts';
import { verifyWithSecret } from './signature/verify.ts';

const signingKeysMax = 4_096;

/** Who sent a request, verified. */
export interface Authenticated {
  /** `null` for a request without a signature. */
  readonly user: User | null;
  readonly authorization: Authorization;
  /** What signed it, with which signed chunks go on; `null` without a signature of version 4. */
  readonly signingKey: KeyObject | null;
}

export type Authenticate = (request: SignedRequest, nowMs: number) => Promise<Authenticated>;

/**
 * Finds out who sent a request, by its signature. One without is anonymous, and what that may do is a matter of
 * authorization. Throws what `parseAuthorization` throws, `InvalidAccessKeyId` and `SignatureDoesNotMatch`.
 */
export function createAuthenticate(access: Access): Authenticate {
  const cache = new SigningKeyCache(signingKeysMax);
  const nobodysSecret = randomBytes(30).toString('base64');
  return async (request, nowMs) => {
    const authorization = parseAuthorization(request, nowMs);
    if (authorization.kind === 'anonymous') return { user: null, authorization, signingKey: null };
    const found = await access.findKey(authorization.accessKey);
    if (found === null) {
      // The same work as for a known key, so that the time of the answer says nothing of which keys there are.
      try {
        verifyWithSecret(authorization, request, nobodysSecret, cache);
      } catch {
        // It never matches.
      }
      throw objectError('InvalidAccessKeyId', { access_key: authorization.accessKey });
    }
    const signingKey = verifyWithSecret(authorization, request, found.secret, cache);
    return { user: found.user, authorization, signingKey };
  };
}
