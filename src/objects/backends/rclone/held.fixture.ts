import { rcloneKind } from './rclone.ts';

/** A gateway's process in little: opens an rclone backend on the directory of its argument, and stays. */
const config = { remote_type: 'local', remote_path: process.argv[2] ?? '' };
const backend = rcloneKind.open(rcloneKind.validate({ config, secrets: {} }));
await backend.health(AbortSignal.timeout(30_000));
process.stdout.write('ready\n');
setInterval(() => undefined, 60_000);
