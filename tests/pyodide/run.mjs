// Runs the suite in Pyodide: node run.mjs PYODIDE PROJECT PACKAGES
//
// First pytest over the tests that can run without threads, processes and sockets, then what a page
// does in its own loop.
const [pyodide, project, packages] = process.argv.slice(2);
const { loadPyodide } = await import(`${pyodide}/pyodide.mjs`);
const py = await loadPyodide();
for (const [at, root] of [["/project", project], ["/packages", packages]]) {
  py.FS.mkdirTree(at);
  py.FS.mount(py.FS.filesystems.NODEFS, { root }, at);
}
let status = 1;
try {
  py.runPython(`
import os, sys
sys.dont_write_bytecode = True
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
os.chdir("/project")
sys.path.insert(0, "/project")
sys.path.append("/packages")
`);
  status = py.runPython("from tests.pyodide import suite; suite.main()");
  await py.runPythonAsync("from tests.pyodide import page; await page.main()");
} catch (error) {
  console.log(String(error).slice(-4000));
  status = 1;
}
process.exit(status);
