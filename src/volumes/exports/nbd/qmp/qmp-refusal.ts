/** The daemon understood a command and said no. What that means is for the caller to tell. */
export class QmpRefusal extends Error {
  readonly command: string;
  /** The words of QEMU. Its error class says nothing more: nearly always `GenericError`. */
  readonly description: string;

  constructor(command: string, description: string) {
    super(`${command}: ${description}`);
    this.name = 'QmpRefusal';
    this.command = command;
    this.description = description;
  }
}
