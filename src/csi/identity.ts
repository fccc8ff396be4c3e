import type { Call } from './call.ts';
import type { IdentityRpcs } from './rpcs.ts';
import { CsiRefusal } from './status.ts';

/** The driver's name in `CSIDriver`, `StorageClass` and every persistent volume: it can never change. */
export const driverName = 'csi.holdfast.io';

export interface IdentityOptions {
  readonly version: string;
  /** Throws when the process cannot do its work. */
  readonly check: (call: Call) => Promise<void>;
}

/** The identity service. Its capabilities are those of the driver as a whole, the same in every process. */
export function identityRpcs({ version, check }: IdentityOptions): IdentityRpcs {
  return {
    GetPluginInfo: async () => ({ name: driverName, vendor_version: version }),
    GetPluginCapabilities: async () => ({
      capabilities: [{ service: { type: 'CONTROLLER_SERVICE' } }, { volume_expansion: { type: 'ONLINE' } }],
    }),
    Probe: async (_, call) => {
      try {
        await check(call);
      } catch (error) {
        // What the specification has for a plugin that misses what it depends on.
        throw new CsiRefusal('FAILED_PRECONDITION', error instanceof Error ? error.message : String(error));
      }
      return { ready: { value: true } };
    },
  };
}
