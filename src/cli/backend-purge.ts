import { ApiError, type Client } from '../client.ts';
import { objectBackendContract as contract } from '../objects/backends/contract.ts';
import { confirm } from './confirm.ts';

/** Gives a lost backend up: asks the server what would be lost, asks the user, and confirms just that. */
export async function purgeBackend(client: Client, name: string, isSure: boolean): Promise<void> {
  const params = { backend: name };
  try {
    await client.call(contract.removeObjectBackend, { params, query: { purge: true } });
  } catch (error) {
    const confirmation = error instanceof ApiError ? error.body.details?.['confirm'] : undefined;
    if (typeof confirmation !== 'string') throw error;
    await confirm(`${sentenceOf(error as ApiError)} Go on?`, isSure);
    await client.call(contract.removeObjectBackend, { params, query: { purge: true, confirm: confirmation } });
  }
}

/** What the server says would be lost, without its demand for a confirmation. */
function sentenceOf({ message }: ApiError): string {
  return message.replace(/ Confirm it within .*$/, '');
}
