import type { DmsetupResult, RunDmsetup } from './dmsetup.ts';

/** One device of {@link TestDeviceMapper}. */
export interface TestMapped {
  uuid: string;
  minor: number;
  open: number;
  table: string;
  loaded: string | null;
  isReadOnly: boolean;
  isDeferred: boolean;
}

const busy = 'device-mapper: ioctl failed: Device or resource busy\nCommand failed.\n';
const absent = 'Device does not exist: No such device or address\nCommand failed.\n';

/** Device-mapper as far as dmsetup shows it to links; the guest's tests hold the real one against what is assumed here. */
export class TestDeviceMapper {
  readonly devices = new Map<string, TestMapped>();
  /** Every call that changes something, in order. */
  readonly changes: string[] = [];
  /** Names that have no node, or another's. */
  readonly nodes = new Map<string, string | null>();
  /** Called before each call, to change what it will find. */
  before: (command: string) => void = () => undefined;
  /** A command that fails whatever it is about. */
  fails: string | null = null;
  #minors = 0;

  put(name: string, uuid: string, table: string, given: Partial<TestMapped> = {}): TestMapped {
    const device = { uuid, minor: this.#minors++, open: 0, table, loaded: null, isReadOnly: false, isDeferred: false };
    this.devices.set(name, { ...device, ...given });
    return this.devices.get(name)!;
  }

  numberAt = async (path: string): Promise<string | null> => {
    const name = path.slice('/dev/mapper/'.length);
    const node = this.nodes.get(name);
    const device = this.devices.get(name);
    if (node !== undefined) return node;
    return device === undefined ? null : `253:${device.minor}`;
  };

  run: RunDmsetup = async (args, input) => {
    const [command = '', name = '', ...rest] = args;
    this.before(command);
    if (command === this.fails) return failed('device-mapper: ioctl failed: Input/output error\n');
    if (command === 'table') return said([...this.devices].flatMap(([each, { table }]) => tableLines(each, table)));
    if (command === 'info') return said([...this.devices].map(infoLine));
    if (command === 'version') return said(['Library version:   1.02.185 (2022-05-18)', 'Driver version:    4.47.0']);
    this.changes.push([command, name, ...rest.filter((each) => each === '--deferred')].join(' '));
    const device = this.devices.get(name);
    if (command === 'create') {
      if (device !== undefined) return failed(busy);
      this.put(name, rest[1] ?? '', '');
      return said([]);
    }
    return device === undefined ? failed(absent) : this.#change(command, name, device, rest, input);
  };

  #change(command: string, name: string, device: TestMapped, rest: readonly string[], input: string): DmsetupResult {
    if (command === 'load') {
      device.loaded = input.trim();
      device.isReadOnly = rest.includes('--readonly');
    }
    if (command === 'clear') device.loaded = null;
    if (command === 'resume' && device.loaded !== null) {
      device.table = device.loaded;
      device.loaded = null;
    }
    if (command === 'wipe_table') device.table = '0 8 error';
    if (command === 'mknodes') this.nodes.delete(name);
    if (command === 'message') device.isDeferred = false;
    if (command === 'remove') {
      if (device.open === 0) this.devices.delete(name);
      else if (rest.includes('--deferred')) device.isDeferred = true;
      else return failed(busy);
    }
    return said([]);
  }
}

function infoLine([name, { uuid, minor, open, table, loaded, isReadOnly }]: [string, TestMapped]): string {
  const attr = `${table === '' ? '-' : 'L'}${loaded === null ? '-' : 'I'}-${isReadOnly ? 'r' : 'w'}`;
  return `${name}|${uuid}|253|${minor}|${open}|${attr}`;
}

function tableLines(name: string, table: string): string[] {
  return table === '' ? [`${name}: `] : table.split('\n').map((line) => `${name}: ${line}`);
}

function said(lines: readonly string[]): DmsetupResult {
  return { status: 0, stdout: `${lines.join('\n')}\n`, stderr: '' };
}

function failed(stderr: string): DmsetupResult {
  return { status: 1, stdout: '', stderr };
}
