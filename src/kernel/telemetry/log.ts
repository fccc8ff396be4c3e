import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** Structured logs: one JSON object a line, with ISO times. What may hold a secret is not written. */
export function createLog(options: { readonly level: string; readonly destination?: DestinationStream }): Log {
  const settings = {
    level: options.level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: ['authorization', 'token', 'secret', '*.authorization', '*.token', '*.secret'], censor: '***' },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
