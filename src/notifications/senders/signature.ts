import { createHmac } from 'node:crypto';

/**
 * The headers that prove where a request comes from, as Standard Webhooks 1.0 has them (https://www.standardwebhooks.com):
 * HMAC-SHA-256 over `id.timestamp.body` under the bytes that follow `whsec_` in base64, written as `v1,` and base64. The
 * timestamp, in seconds since 1970, is part of what is signed, so that an old request cannot be sent again later.
 */
export function signatureHeaders(
  secret: string,
  message: { readonly id: string; readonly body: string },
  nowMs: number,
): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${message.id}.${timestamp}.${message.body}`).digest('base64');
  return { 'webhook-id': message.id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
