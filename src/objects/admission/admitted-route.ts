import type { Route } from '../../kernel/http/server.ts';
import { objectError } from '../errors.ts';
import type { Admission } from './admission.ts';

/** A route of the API whose calls take their turn among the requests for objects. */
export function admittedRoute(route: Route, admission: Admission): Route {
  return {
    endpoint: route.endpoint,
    handle: async (call) => {
      const { bucket } = call.params as { readonly bucket?: string };
      const { raw } = call.reply;
      const signal = () => {
        const control = new AbortController();
        raw.once('close', () => control.abort(objectError('IncompleteBody', {}, 'The client is gone.')));
        return control.signal;
      };
      const release = await admission.enter(call.caller.id, bucket ?? null, signal);
      try {
        return await route.handle(call);
      } finally {
        release();
      }
    },
  };
}
