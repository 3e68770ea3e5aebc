//! Which function an address belongs to.

use crate::spec::Function;

/// The functions by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Functions {
    functions: Vec<Function>,
}

impl Functions {
    /// `functions` is sorted by address.
    pub(crate) fn new(functions: Vec<Function>) -> Self {
        Functions { functions }
    }

    pub(crate) fn len(&self) -> usize {
        self.functions.len()
    }

    /// The number of the last function that begins at or before the address.
    pub(crate) fn at(&self, address: u64) -> Option<usize> {
        self.functions.partition_point(|function| function.address <= address).checked_sub(1)
    }

    pub(crate) fn name(&self, number: usize) -> &str {
        &self.functions[number].name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_the_function_that_begins_before_it() {
        let function = |address, name: &str| Function { address, name: name.to_owned() };
        let functions = Functions::new(vec![function(10, "a"), function(20, "b")]);
        assert_eq!(
            [9, 10, 19, 20, 99].map(|address| functions.at(address)),
            [None, Some(0), Some(0), Some(1), Some(1)]
        );
        assert_eq!(functions.name(1), "b");
    }
}
