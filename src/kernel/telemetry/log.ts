import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';

export type Log = Logger;

/** Fields that may hold a secret, at the top of a line or up to two levels down. */
const secretFields = ['authorization', 'cookie', 'password', 'secret', 'token', 'databaseUrl'];
const secretPaths = secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);

/**
 * Structured logs: one JSON object a line, with ISO times. What may hold a secret is shown as `***`. `level` is the least
 * that is written (`trace debug info warn error fatal silent`); `destination` is standard output by default.
 */
export function createLog(options: { readonly level: string; readonly destination?: DestinationStream }): Log {
  const settings = {
    level: options.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secretPaths, censor: '***' },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
