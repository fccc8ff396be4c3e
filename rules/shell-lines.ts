/** The words of one command. */
type ShellCommand = readonly string[];

const fence = /^```(\w*)\n(.*?)^```$/gms;
/** Quoted or not, words go together until a space: a substitution, a placeholder in angles, quotes, or a plain character. */
const token =
  /(?<space>[ \t]+)|(?:(?<=\s|^)#[^\n]*)|(?<end>\|\|?|&&?|;|\n|[<>](?=[ \t/"\w.])(?!\w[^<>\n]*>))|\\\n|"(?<double>(?:\$\([^)]*\)|\\.|[^"\\])*)"|'(?<single>[^']*)'|(?<part>\$\([^)]*\)|<[^<>\n]*>|\\?[^\s])/gy;

/** The commands in the blocks of shell of a text in Markdown, split as a shell does, as far as a text like that needs it. */
export function shellCommands(markdown: string): ShellCommand[] {
  return [...markdown.matchAll(fence)].flatMap(([, language, block]) => (language === 'sh' ? split(block!) : []));
}

function split(block: string): ShellCommand[] {
  const commands: ShellCommand[] = [];
  let words: string[] = [];
  let word: string | null = null;
  const endWord = () => {
    if (word !== null) words.push(word);
    word = null;
  };
  for (const { 0: text, groups } of block.matchAll(token)) {
    const { space, end, double, single, part } = groups!;
    const piece = double ?? single ?? part;
    if (piece !== undefined) word = (word ?? '') + piece;
    if (space !== undefined || end !== undefined || text === '\\\n') endWord();
    if (end === undefined || words.length === 0) continue;
    commands.push(words);
    words = [];
  }
  return commands;
}

/** What follows `holdfast` in a command, with what may stand before it; `null` for other commands. */
export function holdfastWords(words: ShellCommand): readonly string[] | null {
  let at = 0;
  while (/^\w+=/.test(words[at] ?? '')) at++;
  if (words[at] === 'npx') at++;
  return words[at] === 'holdfast' ? words.slice(at + 1) : null;
}
