// Loaded before an npm on a Node that packages refuse: npm goes by it, and leaves out optional ones, such as those that tests need. What it installs runs on Node 26.
Object.defineProperty(process, 'version', { value: 'v26.0.0' });
