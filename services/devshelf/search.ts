const ACCENTED = 'áàâãäåéèêëíìîïóòôõöúùûüýÿñçÁÀÂÃÄÅÉÈÊËÍÌÎÏÓÒÔÕÖÚÙÛÜÝÑÇ';
const PLAIN = 'aaaaaaeeeeiiiiooooouuuuyyncAAAAAAEEEEIIIIOOOOOUUUUYNC';
/** PostgreSQL's parser would see host names and paths here, and `node.js` could not be found as `js`. No `;`: the migration runner ends a statement there. */
const PUNCTUATION = '!"#$%&\'()*+,-./:<=>?@[\\]^_`{|}~';

const FROM = ACCENTED + PUNCTUATION;
const TO = PLAIN + ' '.repeat(PUNCTUATION.length);

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/**
 * What is searched, without accents and punctuation. Migration 20260103000020 has an index on exactly this expression:
 * whoever changes it here writes a new migration. A tsvector ends at 1 MiB, hence the cut. No extension is needed (unaccent, pg_trgm): a managed database may
 * not offer them to its users.
 */
export const SEARCHED = `to_tsvector('simple', translate(title || ' ' || left(coalesce(description, ''), 10000), ${quoted(FROM)}, ${quoted(TO)}))`;

const FOLDED: Readonly<Record<string, string>> = Object.fromEntries(
  [...FROM].map((from, index) => [from, TO[index] ?? from]),
);

/** Further words narrow the search no more: nobody types them, and each costs a walk through the index. */
const WORDS_MAX = 10;

/** The words of a question as a tsquery that wants all of them, each as a beginning; undefined when there is none. */
export function searchQuery(question: string | undefined): string | undefined {
  const folded = [...(question ?? '')].map(character => FOLDED[character] ?? character).join('');
  const words = folded.split(/\s+/).filter(word => word !== '');
  if (words.length === 0) return undefined;
  return words
    .slice(0, WORDS_MAX)
    .map(word => `'${word}':*`)
    .join(' & ');
}
