import { type Tracer, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { toErrorData } from '../../kernel/errors/errors.ts';
import type { VolumeBackend } from './backend.ts';

/** Hears of each call to a backend: how long it took in seconds, and `ok` or the kind of its error. */
export type BackendObserver = (backend: string, verb: string, result: string, seconds: number) => void;

/** The same backend, with every call measured and traced. */
export function observed(backend: VolumeBackend, tracer: Tracer, observe: BackendObserver): VolumeBackend {
  return new Proxy(backend, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== 'function' || property === 'close') return member;
      const verb = String(property);
      return async (...args: unknown[]) => {
        const beganAt = performance.now();
        const attributes = { 'holdfast.backend': target.name, 'holdfast.verb': verb };
        const span = tracer.startSpan(`backend ${verb}`, { kind: SpanKind.CLIENT, attributes });
        let result = 'ok';
        try {
          return await (member.apply(target, args) as Promise<unknown>);
        } catch (error) {
          const { kind, message } = toErrorData(error);
          result = kind;
          span.setStatus({ code: SpanStatusCode.ERROR, message });
          throw error;
        } finally {
          span.end();
          observe(target.name, verb, result, (performance.now() - beganAt) / 1000);
        }
      };
    },
  });
}
