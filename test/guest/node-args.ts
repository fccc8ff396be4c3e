/**
 * How Node runs this project's programs where a processor is emulated: without compilers of its own, whose work, and what
 * they make, would be translated once more. Their code caches are for the same flags alone.
 */
export const nodeArgs = ['--no-opt', '--no-maglev', '--no-sparkplug', '--regexp-interpret-all'];
