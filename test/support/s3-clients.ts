import { existsSync } from 'node:fs';

/** A program of Debian's that speaks S3. */
export interface Tool {
  readonly name: string;
  /** The package's own file: whatever else the machine's PATH finds first is not what CI installs. */
  readonly path: string;
  readonly package: string;
  /** Files without which it does not run. */
  readonly files: readonly string[];
}

export const tools = {
  aws: tool('aws', '/usr/bin/aws', 'awscli'),
  boto3: tool('boto3', '/usr/bin/python3', 'python3-boto3', [
    '/usr/lib/python3/dist-packages/boto3/__init__.py',
    '/usr/lib/python3/dist-packages/awscrt/__init__.py',
  ]),
  rclone: tool('rclone', '/usr/bin/rclone', 'rclone'),
  s3cmd: tool('s3cmd', '/usr/bin/s3cmd', 's3cmd'),
  restic: tool('restic', '/usr/bin/restic', 'restic'),
  openssl: tool('openssl', '/usr/bin/openssl', 'openssl'),
} as const;

function tool(name: string, path: string, debianPackage: string, others: readonly string[] = []): Tool {
  return { name, path, package: debianPackage, files: [path, ...others] };
}

/** `null` when all of them can be run here, else what to install. */
export function toolsMissing(...wanted: readonly Tool[]): string | null {
  const missing = wanted.filter(({ files }) => !files.every((file) => existsSync(file)));
  if (missing.length === 0) return null;
  const names = missing.map(({ name }) => name).join(', ');
  return `${names} not found; on Debian: apt-get install ${missing.map((one) => one.package).join(' ')}`;
}
