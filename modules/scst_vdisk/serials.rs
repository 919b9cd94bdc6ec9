// SPDX-License-Identifier: GPL-2.0-only

//! Unit serial numbers, which no two devices share.

use kernel::prelude::*;
use kernel::rbtree::RBTree;
use kernel::sync::{new_mutex, Arc, Mutex};

use scst::kapi::noio::NoIo;
use scst::proto::id::USN_MAX;
use scst::proto::text::Text;

/// A serial number, filled up with zeroes.
type Key = [u8; USN_MAX];

/// The serial numbers that are taken.
#[pin_data]
pub(crate) struct Serials {
    #[pin]
    taken: Mutex<RBTree<Key, ()>>,
}

impl Serials {
    /// None taken.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self { taken <- new_mutex!(RBTree::new()) }),
            GFP_KERNEL,
        )
    }

    fn take(&self, key: Key) -> Result {
        // Whoever holds the lock must not wait for a LUN.
        let _scope = NoIo::enter();
        let mut taken = self.taken.lock();
        if taken.get(&key).is_some() {
            return Err(EEXIST);
        }
        taken.try_create_and_insert(key, (), GFP_KERNEL)?;
        Ok(())
    }

    fn give_back(&self, key: &Key) {
        self.taken.lock().remove(key);
    }
}

/// A serial number that is taken as long as this lives.
pub(crate) struct Serial {
    registry: Arc<Serials>,
    text: Text<USN_MAX>,
}

impl Serial {
    /// Takes `text`. `EEXIST` where another device has it.
    pub(crate) fn take(registry: &Arc<Serials>, text: Text<USN_MAX>) -> Result<Self> {
        registry.take(key(&text))?;
        Ok(Self {
            registry: registry.clone(),
            text,
        })
    }

    /// Takes `text` instead. `EEXIST` where another device has it; this one keeps what it had then.
    pub(crate) fn change(&mut self, text: Text<USN_MAX>) -> Result {
        if text != self.text {
            self.registry.take(key(&text))?;
            self.registry.give_back(&key(&self.text));
            self.text = text;
        }
        Ok(())
    }

    /// The serial number.
    pub(crate) fn text(&self) -> &Text<USN_MAX> {
        &self.text
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        self.registry.give_back(&key(&self.text));
    }
}

fn key(text: &Text<USN_MAX>) -> Key {
    let mut key = [0; USN_MAX];
    for (to, from) in key.iter_mut().zip(text.as_bytes()) {
        *to = *from;
    }
    key
}
