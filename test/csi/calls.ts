import { Client, type ServiceError, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Services } from '../../src/csi/rpcs.ts';
import { serviceDefinition } from '../../src/csi/server.ts';

/** Whatever an RPC answers; tests look at what they asked for. */
// oxlint-disable-next-line typescript/no-explicit-any -- replies are decoded by the proto file, which has no types here
export type Reply = Record<string, any>;

export const serviceNames: readonly (keyof Services)[] = ['Identity', 'Controller', 'Node'];

/** The client's side of a driver's socket, as an orchestrator has it. */
export interface CsiCalls {
  /** Calls an RPC, found by its name alone. */
  call(rpc: string, request: object, deadlineMs?: number): Promise<Reply>;
  close(): void;
}

/** @param endpoint - such as `unix:///csi/csi.sock`. */
export function callsTo(endpoint: string): CsiCalls {
  const clients = new Map<string, Client>();
  for (const service of serviceNames) {
    const definition = serviceDefinition(service);
    const client = new (makeGenericClientConstructor(definition, service))(endpoint, credentials.createInsecure());
    for (const rpc of Object.keys(definition)) clients.set(rpc, client);
  }
  return {
    call: (rpc, request, deadlineMs = 30_000) => callOver(clients, rpc, request, deadlineMs),
    close: () => {
      for (const client of clients.values()) client.close();
    },
  };
}

function callOver(clients: Map<string, Client>, rpc: string, request: object, deadlineMs: number): Promise<Reply> {
  const client = clients.get(rpc);
  if (client === undefined) throw new Error(`there is no RPC ${rpc}`);
  const method = (client as unknown as Record<string, (...args: unknown[]) => void>)[rpc]!.bind(client);
  return new Promise((resolve, reject) => {
    method(request, { deadline: Date.now() + deadlineMs }, (error: ServiceError | null, reply: Reply) => {
      if (error === null) resolve(reply);
      else reject(error);
    });
  });
}
