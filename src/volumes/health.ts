import type { Static } from 'typebox';
import { within } from '../kernel/http/health.ts';
import type { BackendRegistry } from './backends/registry.ts';
import type { backendSchema } from './contract.ts';

/** Whether a backend works, asked now; past the deadline it does not. */
export async function backendStatus(
  backends: BackendRegistry,
  name: string,
  timeoutMs: number,
): Promise<Static<typeof backendSchema>> {
  const backend = backends.get(name);
  const facts = { name, is_default: name === backends.defaultName, capabilities: { ...backend.capabilities } };
  try {
    const {
      detail,
      freeBytes = null,
      totalBytes = null,
    } = await within(backend.health(AbortSignal.timeout(timeoutMs)), timeoutMs);
    const space = { free_bytes: toNumber(freeBytes), total_bytes: toNumber(totalBytes) };
    return { ...facts, status: 'healthy', detail, ...space };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { ...facts, status: 'unhealthy', detail, free_bytes: null, total_bytes: null };
  }
}

function toNumber(bytes: bigint | null): number | null {
  return bytes === null ? null : Number(bytes);
}
