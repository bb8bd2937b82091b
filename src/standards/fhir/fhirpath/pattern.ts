/**
 * Regular expressions of `matches` and `replaceMatches` in time that grows with pattern × text and no more (SECURITY
 * IN-30): every way through the pattern is followed at once, none is tried and taken back.
 * Knows: literals, `.`, classes, `\d \w \s \D \W \S`, `( ) (?: )`, `|`, `? * + {n} {n,} {n,m}`, `^`, `$`.
 */
import { PatternParser, type Tree } from './pattern-parser.ts';
import { PathError } from './values.ts';

/** Steps a pattern may compile to; `{0,254}` is written out. */
const STEPS_MAX = 5000;

type Step =
  | { readonly kind: 'char'; readonly accepts: (code: number) => boolean }
  | { readonly kind: 'split'; to: number; other: number }
  | { readonly kind: 'jump'; to: number }
  | { readonly kind: 'start' | 'end' | 'match' };

export interface Pattern {
  /** Whether some part of the text matches. */
  test(text: string): boolean;
  testWhole(text: string): boolean;
  /** The text with every match (the longest from the left) replaced by the very words of `by`. */
  replace(text: string, by: string): string;
}

const compiled = new Map<string, Pattern>();
const COMPILED_MAX = 500;

/** Throws `PathError` where a pattern is none, or one that this does not know (look-arounds, back-references). */
export function compilePattern(source: string): Pattern {
  let pattern = compiled.get(source);
  if (pattern === undefined) {
    pattern = createPattern(new PatternParser(source).whole());
    if (compiled.size >= COMPILED_MAX) compiled.clear();
    compiled.set(source, pattern);
  }
  return pattern;
}

function createPattern(tree: Tree): Pattern {
  const steps: Step[] = [];
  write(tree, steps);
  steps.push({ kind: 'match' });
  const run = createRun(steps);
  return {
    test: (text) => run(text, 0, true, false) >= 0,
    testWhole: (text) => run(text, 0, false, true) === text.length,
    replace(text, by) {
      let made = '';
      let at = 0;
      // A text that is tried at every place costs its square: only short ones are replaced in.
      if (text.length > 10_000) throw new PathError('replaceMatches takes texts of at most 10000 characters');
      while (at <= text.length) {
        const end = run(text, at, false, false);
        if (end > at) {
          made += by;
          at = end;
          continue;
        }
        if (end === at) made += by;
        made += text.charAt(at);
        at++;
      }
      return made;
    },
  };
}

/** Returns where the longest match that begins at `from` (or anywhere after, with `search`) ends; -1 without one. */
function createRun(steps: readonly Step[]) {
  const marks = new Int32Array(steps.length);
  let generation = 0;
  return (text: string, from: number, search: boolean, whole: boolean): number => {
    let current: number[] = [];
    let found = -1;
    const add = (list: number[], first: number, at: number): void => {
      const stack = [first];
      while (stack.length > 0) {
        const index = stack.pop()!;
        if (marks[index] === generation) continue;
        marks[index] = generation;
        const step = steps[index]!;
        if (step.kind === 'jump') stack.push(step.to);
        else if (step.kind === 'split') stack.push(step.other, step.to);
        else if (step.kind === 'start') {
          if (at === 0) stack.push(index + 1);
        } else if (step.kind === 'end') {
          if (at === text.length) stack.push(index + 1);
        } else if (step.kind === 'match') {
          if (!whole || at === text.length) found = at;
        } else list.push(index);
      }
    };
    for (let at = from; ; at++) {
      generation++;
      const starts: number[] = [];
      for (const index of current) add(starts, index, at);
      if (at === from || search) add(starts, 0, at);
      if (search && found >= 0) return found;
      if (at >= text.length || (starts.length === 0 && !search)) return found;
      const code = text.charCodeAt(at);
      current = [];
      for (const index of starts) {
        const step = steps[index]!;
        if (step.kind === 'char' && step.accepts(code)) current.push(index + 1);
      }
    }
  };
}

function write(tree: Tree, steps: Step[]): void {
  if (steps.length > STEPS_MAX) throw new PathError('the regular expression is too large');
  switch (tree.kind) {
    case 'char':
      steps.push(tree);
      return;
    case 'start':
    case 'end':
      steps.push({ kind: tree.kind });
      return;
    case 'sequence':
      for (const part of tree.of) write(part, steps);
      return;
    case 'choice': {
      const ends: { kind: 'jump'; to: number }[] = [];
      tree.of.forEach((part, i) => {
        if (i === tree.of.length - 1) {
          write(part, steps);
          return;
        }
        const split = { kind: 'split' as const, to: steps.length + 1, other: 0 };
        steps.push(split);
        write(part, steps);
        const end = { kind: 'jump' as const, to: 0 };
        ends.push(end);
        steps.push(end);
        split.other = steps.length;
      });
      for (const end of ends) end.to = steps.length;
      return;
    }
    default:
      writeRepeat(tree, steps);
  }
}

function writeRepeat({ of, min, max }: Extract<Tree, { kind: 'repeat' }>, steps: Step[]): void {
  for (let i = 0; i < min; i++) write(of, steps);
  if (max === Number.POSITIVE_INFINITY) {
    const split = { kind: 'split' as const, to: steps.length + 1, other: 0 };
    const at = steps.length;
    steps.push(split);
    write(of, steps);
    steps.push({ kind: 'jump', to: at });
    split.other = steps.length;
    return;
  }
  const splits: { kind: 'split'; to: number; other: number }[] = [];
  for (let i = min; i < max; i++) {
    const split = { kind: 'split' as const, to: steps.length + 1, other: 0 };
    splits.push(split);
    steps.push(split);
    write(of, steps);
  }
  for (const split of splits) split.other = steps.length;
}
