import { HoldfastError } from '../kernel/errors/errors.ts';
import { controllerRpcs } from './controller/controller.ts';
import type { Holdfast } from './holdfast.ts';
import { identityRpcs } from './identity.ts';
import type { Connector } from './node/connector.ts';
import { LocalConnector } from './node/local-connector.ts';
import { NbdConnector } from './node/nbd-connector.ts';
import { nodeRpcs } from './node/node.ts';
import { NvmeofConnector } from './node/nvmeof-connector.ts';
import { StageRecords } from './node/stage-records.ts';
import type { NodeSystem } from './node/system.ts';
import { Turns } from './node/turns.ts';
import type { Services } from './rpcs.ts';

export interface CsiDriverOptions {
  /** `all` serves one machine that is controller and node; it knows no other node. */
  readonly mode: 'controller' | 'node' | 'all';
  readonly nodeId: string;
  /** How many volumes this node can have; 0: unknown. */
  readonly volumesMax: number;
  /** Where records of what is staged are kept; it must outlive the process. */
  readonly stateDirectory: string;
  readonly version: string;
  readonly holdfast: Holdfast;
  readonly system: NodeSystem;
  /** Further transports of this node, by name. */
  readonly connectors?: Readonly<Record<string, Connector>>;
}

/** What Holdfast allows as a node's id, and CSI's limit for one. */
const nodeIdPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** The services of one driver process. @throws HoldfastError `invalid` for a node id that cannot be one. */
export function createCsiServices(options: CsiDriverOptions): Services {
  const { mode, nodeId, holdfast, system, version } = options;
  if (mode !== 'controller' && !nodeIdPattern.test(nodeId)) {
    const message = 'A node id consists of up to 128 letters, digits, ".", "_", ":" and "-".';
    throw new HoldfastError('invalid', message, { field: '--node-id', provided_value: nodeId.slice(0, 200) });
  }
  const hasController = mode !== 'node';
  const isNodeKnown = (id: string) => (mode === 'all' ? id === nodeId : nodeIdPattern.test(id));
  const node = {
    nodeId,
    volumesMax: options.volumesMax,
    system,
    connectors: {
      nbd: new NbdConnector(system),
      nvmeof: new NvmeofConnector(system, nodeId),
      none: new LocalConnector(),
      ...options.connectors,
    },
    records: new StageRecords(options.stateDirectory),
    turns: new Turns(),
  };
  return {
    // A node does its work without the server, so the server's health is the controller's business.
    Identity: identityRpcs({ version, check: async (call) => (hasController ? holdfast.check(call) : undefined) }),
    ...(hasController ? { Controller: controllerRpcs({ holdfast, isNodeKnown }) } : {}),
    ...(mode === 'controller' ? {} : { Node: nodeRpcs(node) }),
  };
}
