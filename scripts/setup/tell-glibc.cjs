// Loaded before npm. That of Node 20.0 and 20.1 (9.6.4) asks for the version of glibc by a name that Node does not give it, and leaves out every package for glibc.
const { report } = process;
const getReport = report.getReport.bind(report);
report.getReport = (...args) => {
  const made = getReport(...args);
  if (made.header?.glibcVersionRuntime) made.header.glibcRuntimeVersion = made.header.glibcVersionRuntime;
  return made;
};
