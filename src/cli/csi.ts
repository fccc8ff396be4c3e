import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { CsiClient, type CsiTransport, csiTransports } from '../csi-client.ts';
import { type CsiDriverOptions, createCsiServices } from '../csi/driver.ts';
import { LinuxSystem } from '../csi/node/linux-system.ts';
import { startCsiServer } from '../csi/server.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { createLog } from '../kernel/telemetry/log.ts';
import { version } from '../version.ts';
import { type ConnectionOptions, connect } from './connection.ts';
import { examples } from './examples.ts';

interface CsiFlags extends ConnectionOptions {
  readonly endpoint: string;
  readonly mode: CsiDriverOptions['mode'];
  readonly nodeId: string;
  readonly maxVolumes: string;
  readonly transport: CsiTransport;
  readonly stateDir: string;
  readonly logLevel: string;
}

/** `holdfast csi` */
export function registerCsiCommand(csi: Command): void {
  csi
    .addOption(
      new Option('--endpoint <socket>', 'where the orchestrator connects')
        .env('CSI_ENDPOINT')
        .default('unix:///csi/csi.sock'),
    )
    .addOption(
      new Option('--mode <mode>', 'what this process serves; `all` is for one machine')
        .choices(['controller', 'node', 'all'])
        .default('all'),
    )
    .addOption(
      new Option('--node-id <id>', 'this node, as volumes are attached at it').env('NODE_ID').default(hostname()),
    )
    .addOption(
      new Option('--transport <transport>', 'how nodes reach volumes; `none` is for disks of a hypervisor')
        .choices([...csiTransports])
        .default('nbd'),
    )
    .option('--max-volumes <n>', 'how many volumes this node can have; 0 is unknown', '0')
    .option('--state-dir <directory>', 'what this node has staged, kept to undo it', '/var/lib/holdfast-csi')
    .addOption(new Option('--log-level <level>').choices(['debug', 'info', 'warn', 'error', 'silent']).default('info'))
    .addHelpText('after', examples('csi --endpoint unix:///csi/csi.sock --mode controller'))
    .action((_flags: object, command: Command) => run(command.optsWithGlobals<CsiFlags>()));
}

/** Serves until a signal ends it. */
async function run(flags: CsiFlags): Promise<void> {
  const log = createLog({ level: flags.logLevel });
  const { client } = connect(flags);
  const services = createCsiServices({
    mode: flags.mode,
    nodeId: flags.nodeId,
    volumesMax: wholeNumber(flags.maxVolumes),
    stateDirectory: flags.stateDir,
    version,
    holdfast: new CsiClient(client.options, flags.transport),
    system: new LinuxSystem(),
  });
  const server = await startCsiServer(flags.endpoint, services, log);
  // Whoever reads that it is ready may end it at once.
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  log.info({ endpoint: flags.endpoint, mode: flags.mode, nodeId: flags.nodeId, url: client.url }, 'csi is ready');
  const signal = await ended;
  log.info({ signal }, 'stopping');
  await server.stop();
}

function wholeNumber(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new HoldfastError('invalid', 'The number of volumes must be a whole number.', { field: '--max-volumes' });
}
