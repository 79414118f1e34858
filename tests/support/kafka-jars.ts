import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const VERSION = '4.1.0';
const OLDEST_JAVA = 17;
const FETCH_MS = 300_000;

export type KafkaJars =
  | { readonly kind: 'there'; readonly classPath: string }
  | { readonly kind: 'missing'; readonly why: string };

/**
 * Apache Kafka's jars and what they need, from Maven Central by way of `mvn`, kept in `POSTHORN_TEST_CACHE` (by default
 * `~/.cache/posthorn-tests`) so that they are fetched once.
 */
export function fetchKafka(): KafkaJars {
  found ??= fetch();
  return found;
}

let found: KafkaJars | undefined;

function fetch(): KafkaJars {
  const java = javaVersion();
  if (java === null) return missing('java is not installed');
  if (java < OLDEST_JAVA) return missing(`java is ${java}, and Kafka ${VERSION} needs ${OLDEST_JAVA} or later`);
  const cache = process.env.POSTHORN_TEST_CACHE || join(homedir(), '.cache', 'posthorn-tests');
  const jars = join(cache, `kafka-${VERSION}`);
  if (existsSync(jars)) return { kind: 'there', classPath: join(jars, '*') };
  if (spawnSync('mvn', ['--version']).status !== 0) return missing(`mvn is not installed, and ${jars} is not there`);
  const problem = download(jars);
  return problem === null ? { kind: 'there', classPath: join(jars, '*') } : missing(problem);
}

function missing(why: string): KafkaJars {
  return { kind: 'missing', why };
}

function javaVersion(): number | null {
  const { stderr, status } = spawnSync('java', ['-version'], { encoding: 'utf8' });
  const major = /version "(\d+)/.exec(stderr ?? '')?.[1];
  return status === 0 && major !== undefined ? Number(major) : null;
}

/** Into a folder of its own first: several test files may fetch at once, and one that is killed leaves no half. */
function download(jars: string): string | null {
  mkdirSync(dirname(jars), { recursive: true });
  const place = mkdtempSync(`${jars}-`);
  try {
    writeFileSync(join(place, 'pom.xml'), POM);
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${join(place, 'jars')}`];
    const { status, stdout } = spawnSync('mvn', ['-B', '-q', ...goal], {
      cwd: place,
      encoding: 'utf8',
      timeout: FETCH_MS,
    });
    if (status !== 0) return `mvn could not fetch Kafka ${VERSION}: ${stdout?.split('\n')[0]?.slice(0, 300)}`;
    if (!existsSync(jars)) renameSync(join(place, 'jars'), jars);
    return null;
  } catch (error) {
    // Another one was first.
    return existsSync(jars) ? null : String(error);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>posthorn</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
  </dependencies>
</project>
`;
