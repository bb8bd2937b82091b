/**
 * Passwords that guessers try first, as a list made from patterns of our own: words that people choose, walks over the
 * keyboard, runs and repeats, each with the years, digits and signs that people add to please a rule. SECURITY LG-03
 */

const WORDS = `password passwort welcome letmein login admin administrator master secret hello monkey dragon sunshine
princess football baseball basketball cricket rugby hockey tennis golf arsenal chelsea liverpool everton tottenham
manchester united newcastle leeds villa celtic rangers wolves london england scotland wales ireland britain birmingham
bristol glasgow edinburgh cardiff belfast york oxford cambridge summer winter spring autumn january february march april
june july august september october november december monday tuesday wednesday thursday friday saturday sunday christmas
easter holiday birthday family mother father sister brother daughter grandma grandpa freedom forever always lovely
beautiful sweetheart darling iloveyou loveme angel flower rainbow butterfly unicorn kitten puppy doggy tiger lion eagle
falcon panther wolf horse dolphin penguin rabbit turtle shadow thunder lightning phoenix warrior soldier knight ninja
pirate wizard magic hunter ranger racing ferrari porsche mercedes mustang jaguar toyota honda yamaha harley computer
internet windows google facebook samsung android iphone microsoft keyboard whatever nothing changeme change default
temporary temppass guest user test testing tester demo example sample office business company manager service support
system server database network backup security access control banking money dollar million diamond golden silver purple
orange yellow green blue black white chocolate cookie coffee cheese banana apple cherry lemon peaches pepper ginger
pumpkin strawberry hospital surgery clinic doctor nurse patient medicine medical health healthcare pharmacy pharmacist
prescription practice ward theatre ambulance matron charlie oliver george harry jack jacob noah william james thomas
robert michael david daniel matthew joshua andrew joseph christopher jessica jennifer michelle nicole ashley amanda
olivia amelia emily sophie charlotte elizabeth margaret victoria alexander samantha benjamin anthony superman batman
spiderman starwars pokemon minecraft fortnite matrix hercules zeus jesus heaven bible trustno1 qazwsx asdfgh zxcvbn
qwerty qwertz azerty`
  .split(/\s+/)
  .filter((word) => word !== '');

const ENDINGS: readonly string[] = [
  ...[
    '',
    '1',
    '2',
    '3',
    '7',
    '9',
    '12',
    '13',
    '21',
    '22',
    '23',
    '69',
    '77',
    '88',
    '99',
    '00',
    '01',
    '007',
    '11',
    '111',
  ],
  ...['123', '1234', '12345', '123456', '1234567', '12345678', '123456789', '321', '4321', '!', '!!', '1!', '123!'],
  ...['1234!', '@1', '@123', '#1', '.', '*', '?', '$', '_1', '-1'],
  ...Array.from({ length: 61 }, (_, i) => String(1970 + i)),
];

const ROWS = ['1234567890', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm', 'qwertzuiop', 'azertyuiop', 'qazwsxedcrfvtgbyhnujm'];
const COLUMNS = ['1qaz', '2wsx', '3edc', '4rfv', '5tgb', '6yhn', '7ujm', '8ik', '9ol', '0p'];
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const LENGTH_MIN = 8;

let list: ReadonlySet<string> | undefined;

/** The list, in lower case: made when it is first asked for. */
export const commonPasswords = (): ReadonlySet<string> => (list ??= new Set(make()));

/** Whether a password is one that guessers try first, also with other capitals and with signs in place of letters. */
export function isCommonPassword(password: string): boolean {
  const lower = password.toLowerCase();
  return commonPasswords().has(lower) || commonPasswords().has(plainLetters(lower));
}

const SUBSTITUTES = new Map([
  ['@', 'a'],
  ['4', 'a'],
  ['3', 'e'],
  ['0', 'o'],
  ['$', 's'],
  ['5', 's'],
]);

/** `p@$$w0rd2024` as `password2024`: signs that stand for letters, within the word and not in what follows it. */
function plainLetters(text: string): string {
  const [, word = '', ending = ''] = /^(.*[a-z@$])([^a-z]*)$/.exec(text) ?? [];
  return word.replaceAll(/[@430$5]/g, (sign) => SUBSTITUTES.get(sign) ?? sign) + ending;
}

function* make(): Generator<string> {
  for (const password of all()) if (password.length >= LENGTH_MIN) yield password;
}

function* all(): Generator<string> {
  for (const word of WORDS) {
    for (const ending of ENDINGS) yield word + ending;
    yield word + word;
    yield [...word].reverse().join('');
    for (const front of ['1', '123', '1234', 'the', 'my', 'i']) yield front + word;
  }
  yield* walks();
  yield* runs();
}

/** Neighbouring keys, there and back. */
function* walks(): Generator<string> {
  for (const row of ROWS)
    for (let from = 0; from < row.length; from += 1)
      for (let to = from + 3; to <= row.length; to += 1) {
        const walk = row.slice(from, to);
        const back = [...walk].reverse().join('');
        yield* [walk, back, walk + walk, walk + back];
        for (const ending of ENDINGS.slice(0, 32)) yield walk + ending;
      }
  for (const first of COLUMNS) for (const second of COLUMNS) yield* [first + second, first + second.toUpperCase()];
  for (const [i, first] of COLUMNS.entries()) yield first + (COLUMNS[i + 1] ?? '') + (COLUMNS[i + 2] ?? '');
}

/** One sign again and again, runs of the alphabet, dates. */
function* runs(): Generator<string> {
  for (const sign of `${LETTERS}0123456789`) for (let n = LENGTH_MIN; n <= 20; n += 1) yield sign.repeat(n);
  for (let from = 0; from < 20; from += 1)
    for (let length = LENGTH_MIN; from + length <= 26; length += 1) yield LETTERS.slice(from, from + length);
  for (let pair = 0; pair < 100; pair += 1) {
    const digits = String(pair).padStart(2, '0');
    yield* [digits.repeat(4), digits.repeat(5), digits.repeat(6)];
  }
  for (let year = 1940; year <= 2035; year += 1)
    for (let month = 1; month <= 12; month += 1)
      for (const day of [1, 10, 15, 20, 25]) {
        const [m, d] = [String(month).padStart(2, '0'), String(day).padStart(2, '0')];
        yield* [`${d}${m}${year}`, `${year}${m}${d}`];
      }
}
